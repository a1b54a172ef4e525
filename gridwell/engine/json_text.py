"""JSON from outside: how much it may hold, and that each name stands once in its object.  Pure.

What a text holds is counted before it is parsed: of 64 MiB of brackets a parser makes a gigabyte
of lists.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from gridwell.engine import limits
from gridwell.engine.errors import Fault, InvalidJob
from gridwell.engine.printable import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAME: Final = 80  #: characters of a name in an error
_ROW: Final = 4  #: numbers of an atom
_SPARE: Final = 100_000  #: of each mark, beside those of as many atoms as a job may have
_FEW: Final = 64
#: By mark: how often a text may hold it, and of what there is too much where it does more often.
_MOST: Final = {
    "[": (limits.MAX_TEXT_ITEMS + _SPARE, "lists"),
    ",": (_ROW * limits.MAX_TEXT_ITEMS + _SPARE, "values"),
    "{": (_SPARE, "objects"),
    ":": (_SPARE, "names"),
}


class RepeatedName(ValueError):  # noqa: N818 - named for what it is
    """A name stands twice in one object; says which, and the remedy."""


def check_size(text: str | bytes, pointer: str = "") -> None:
    """Refuse a JSON text that holds more than the most atoms need, before it is parsed.

    Args:
        text: of any size.
        pointer: of the fault.

    Raises:
        InvalidJob: with what there is too much of.
    """
    for mark, (most, what) in _MOST.items():
        # A shorter text cannot hold as many; and a few are found sooner than all are counted.
        if len(text) <= most or not holds_more(text, mark, _FEW):
            continue
        found = text.count(mark) if isinstance(text, str) else text.count(mark.encode())
        if found > most:
            detail = (
                f"{found:,} {what} are more than the {most:,} that a job can have; give each atom "
                "as [x, y, z, energy], and a job's other fields once"
            )
            raise InvalidJob(Fault(pointer, detail))


def holds_more(text: str | bytes, mark: str, count: int) -> bool:
    """Return whether a mark stands in a text more than so often: in little time if it is few."""
    at = -1
    for _ in range(count + 1):
        at = text.find(mark, at + 1) if isinstance(text, str) else text.find(mark.encode(), at + 1)
        if at < 0:
            return False
    return True


def names_once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of its pairs: an `object_pairs_hook` of `json`.

    Readers differ in which of two equal names they take, so neither is.

    Raises:
        RepeatedName: if a name stands twice.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise RepeatedName(f'the name "{excerpt(name, _NAME)}" stands twice; give it once')
        found[name] = value
    return found


def shown(value: Any, longest: int = 60) -> str:
    """Return a faulty JSON value as an error names it: its first characters.

    No more of it is written as JSON than is shown.
    """
    if isinstance(value, str):
        value = value[: longest + 1]
    text = ""
    try:
        for piece in _ENCODER.iterencode(value):
            text += piece
            if len(text) > longest:
                return f"{text[:longest]}…"
    except ValueError:
        return "a number of thousands of digits"
    return text


_ENCODER: Final = json.JSONEncoder()
