"""Decimal numbers, read strictly: what is no plain number in every program is none here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_SHOWN: Final = 40  #: characters of a faulty value
_FORTRAN: Final = str.maketrans("dD", "ee")


def floats(fields: Sequence[str]) -> NDArray[np.float64] | None:
    """Many numbers at once; None if one of them needs a closer look by `number`."""
    joined = "\n".join(fields)
    if "_" in joined or not joined.isascii():  # float() would take 1_000 and Arabic digits
        return None
    if "D" in joined or "d" in joined:
        fields = joined.translate(_FORTRAN).split("\n")
    try:
        values = np.fromiter(map(float, fields), dtype=np.float64, count=len(fields))
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def number(field: str) -> float:
    """Return the number that a field holds; an exponent may be Fortran's, as in 1.0D+02.

    Raises:
        ValueError: with what is wrong with it.
    """
    text = field.strip()
    if not text:
        raise ValueError("is missing")
    try:
        if "_" in text or not text.isascii():
            raise ValueError  # noqa: TRY301 - told below, as float's own
        value = float(text.translate(_FORTRAN))
    except ValueError:
        advice = "write a decimal point" if "," in text else "write it like -1.25 or 3e-4"
        raise ValueError(f"is {shown(text)}, which is not a decimal number; {advice}") from None
    if not math.isfinite(value):
        raise ValueError(f"is {shown(text)}, which is not a finite float64")
    return value


def is_number(field: str) -> bool:
    """Return True if a field holds a number."""
    try:
        number(field)
    except ValueError:
        return False
    return True


def shown(text: str) -> str:
    """Text as an error quotes it: ASCII, quoted and short, however much of it is escaped."""
    quoted = ascii(text[: _SHOWN + 1])
    return quoted if len(quoted) <= _SHOWN + len("''") else f"{quoted[:_SHOWN]}...{quoted[0]}"
