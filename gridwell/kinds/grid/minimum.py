"""The least potential and where it is; minima merge by taking the lesser."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from gridwell.engine.errors import InvalidMessage

_HEX_DIGITS = 16
_KEY = re.compile(r"[0-9a-f]{32}")
_SHOWN = 40  # characters of a faulty key
_SIGN = 1 << 63
_ALL = (1 << 64) - 1


@dataclass(frozen=True, slots=True, order=True)
class Minimum:
    """A potential and the linear index of its grid point.

    Ordered as the answer is chosen: the least value, and of equal values the lowest index.
    """

    value: float
    index: int

    def key(self) -> str:
        """32 hex digits that sort as minima do, for stores that compare only strings.

        DynamoDB's numbers end at 1e126 and drop digits; text keeps every bit.  The first half is
        the float64's bits, flipped so that text order is numeric order, with -0.0 as 0.0; the
        second half is the index.
        """
        (bits,) = struct.unpack(">Q", struct.pack(">d", self.value + 0.0))
        bits ^= _ALL if bits & _SIGN else _SIGN
        return f"{bits:016x}{self.index:016x}"

    @classmethod
    def from_key(cls, key: str) -> Minimum:
        """Return the minimum that `key` was made of.

        Raises:
            InvalidMessage: if the text is not such a key, or its value is not a finite number.
        """
        # The pattern first: int() would also read signs, and a negative index is outside any grid.
        if not _KEY.fullmatch(key):
            raise InvalidMessage(f"{key[:_SHOWN]!r} is not the key of a minimum")
        bits, index = int(key[:_HEX_DIGITS], 16), int(key[_HEX_DIGITS:], 16)
        bits ^= _SIGN if bits & _SIGN else _ALL
        (value,) = struct.unpack(">d", struct.pack(">Q", bits))
        minimum = cls(value, index)
        if minimum.value - minimum.value != 0 or minimum.key() != key:
            raise InvalidMessage(f"{key!r} is not the key of a minimum with a finite value")
        return minimum


def lesser(a: Minimum | None, b: Minimum | None) -> Minimum | None:
    """Return the lesser of two minima, where None (no point qualified) loses to any."""
    if a is None or b is None:
        return a or b
    return min(a, b)
