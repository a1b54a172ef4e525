"""The kinds of work that a worker runs: one line a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app_tier.kinds.grid.runners import MAP, MINIMUM, SERIES
from app_tier.kinds.sleep.runner import SLEEP_RUNNER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app_tier.executor.port import Runner

RUNNERS: Final[Mapping[str, Runner[Any]]] = {
    "minimum": MINIMUM,
    "series": SERIES,
    "map": MAP,
    "sleep": SLEEP_RUNNER,
}
