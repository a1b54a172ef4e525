"""The kind that finds the least potential, and keeps that of each point."""

from __future__ import annotations

from typing import Final

from gridwell.kinds.grid.kind import GridKind
from gridwell.kinds.grid.names import MAP_KIND

MAP: Final = GridKind(name=MAP_KIND, keeps_map=True)
