"""The kind that finds the least potential of a grid."""

from __future__ import annotations

from typing import Final

from gridwell.kinds.grid.kind import GridKind
from gridwell.kinds.grid.names import MINIMUM_KIND

MINIMUM: Final = GridKind(name=MINIMUM_KIND)
