"""The web side of each kind, by the kind's name.

The first one reads requests that name no kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND, SERIES_KIND
from web_tier.kinds.grid.web import GridWeb
from web_tier.kinds.sleep.web import SleepWeb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from web_tier.kind import WebKind

_GRID: Final = GridWeb()

WEB_KINDS: Final[Mapping[str, WebKind]] = {
    MINIMUM_KIND: _GRID,
    SERIES_KIND: _GRID,
    MAP_KIND: _GRID,
    "sleep": SleepWeb(),
}
