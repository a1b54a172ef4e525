"""The answer to a problem as it is kept for other jobs of the same problem."""

from __future__ import annotations

import json
from typing import Any, Final

from gridwell.engine.canonical_json import canonical_json
from gridwell.engine.errors import GridwellError
from gridwell.kinds.grid.minimum import Minimum

_VERSION: Final = 1

#: What a value of another version, of somebody else, or cut short may raise while it is read.
_UNREADABLE = (GridwellError, KeyError, OverflowError, RecursionError, TypeError, ValueError)


def encode_answer(problem: str, *points: Minimum) -> bytes:
    """Return the answer to a problem, a pure function of it: any client's job may use it."""
    first, *others = (point.key() for point in points)
    fields: dict[str, Any] = {"version": _VERSION, "problem": problem, "minimum": first}
    if others:  # those of a single point are as they were before there were series
        fields["others"] = others
    return canonical_json(fields).encode()


def decode_answer(data: bytes, problem: str) -> tuple[Minimum, ...] | None:
    """Return the points that `encode_answer` gave, or None if the value is not of `problem`."""
    try:
        fields = json.loads(data)
        if fields["version"] != _VERSION or fields["problem"] != problem:
            return None
        return tuple(map(Minimum.from_key, [fields["minimum"], *fields.get("others", ())]))
    except _UNREADABLE:
        return None
