"""The names of the grid kinds: in messages, in the ledger, and in requests."""

from __future__ import annotations

from typing import Final

MINIMUM_KIND: Final = "minimum"  #: the least potential
SERIES_KIND: Final = "series"  #: several points, one after the other
MAP_KIND: Final = "map"  #: as minimum, and the potential of each point is kept
GRID_KINDS: Final = frozenset({MINIMUM_KIND, SERIES_KIND, MAP_KIND})
