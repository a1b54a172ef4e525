"""The kind that finds several points, one after the other: its job is one task."""

from __future__ import annotations

from typing import Final

from gridwell.kinds.grid.kind import GridKind
from gridwell.kinds.grid.names import SERIES_KIND

SERIES: Final = GridKind(name=SERIES_KIND, has_series=True)
