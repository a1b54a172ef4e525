"""The kinds of work that this release has, for the engine's side.

Programs hand it to the engine where they are put together; the engine itself imports no kind.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gridwell.kinds.grid.map_kind import MAP
from gridwell.kinds.grid.minimum_kind import MINIMUM
from gridwell.kinds.grid.series_kind import SERIES
from gridwell.kinds.sleep.spec import SLEEP_KIND

if TYPE_CHECKING:
    from gridwell.engine.kind import Kinds

KINDS: Final[Kinds] = MappingProxyType(
    {
        "minimum": MINIMUM,
        "series": SERIES,
        "map": MAP,
        "sleep": SLEEP_KIND,
    }
)
