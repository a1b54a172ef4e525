"""Values of Python and numpy as what JSON has."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridwell.engine.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

_FAULTS: Final = 20  #: that are reported at once


def not_finite(body: Any) -> list[Fault]:
    """Return where a body has numbers that JSON has not; the first few."""
    return list(itertools.islice(_not_finite(body, ""), _FAULTS))


def plain(value: Any) -> Any:
    """Return the same in what JSON has; arrays and numbers of numpy among it."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _not_finite(value: Any, pointer: str) -> Iterator[Fault]:
    """A value for which JSON has no number."""
    if isinstance(value, float) and not math.isfinite(value):
        yield Fault(pointer, f"{value!r} is not a finite number")
    elif isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for name, inner in pairs:
            yield from _not_finite(inner, f"{pointer}/{name}")
