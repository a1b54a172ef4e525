"""Fault plans with a name, and the lookup of a plan by name or file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gridwell.local_stack.faults.plan import NOTHING, FaultPlan, PlannedFault
from gridwell.local_stack.faults.plan_json import InvalidFaultPlan, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A bad day on AWS: a few calls in a hundred.
_MILD: Final = (
    PlannedFault(kind="request lost", probability=0.005),
    PlannedFault(kind="throttled", probability=0.01, seconds=(0.0, 0.0)),
    PlannedFault(kind="server error", probability=0.01, seconds=(0.0, 0.0)),
    PlannedFault(kind="no capacity", probability=0.1, seconds=(0.0, 5.0)),
    PlannedFault(kind="start falls back", probability=0.05, seconds=(0.2, 2.0)),
    PlannedFault(kind="metadata throttled", probability=0.05, seconds=(0.0, 1.0)),
    PlannedFault(kind="metadata hangs", probability=0.02, seconds=(0.2, 1.0)),
    PlannedFault(kind="offer never speaks", probability=0.002, seconds=(1.0, 5.0)),
    PlannedFault(kind="offer refused", probability=0.005),
    PlannedFault(kind="start refused for good", probability=0.005),
    PlannedFault(kind="stop refused", probability=0.01),
    PlannedFault(kind="protected", probability=0.01),
    PlannedFault(kind="describe late", probability=0.2, seconds=(0.0, 5.0)),
    PlannedFault(kind="count late", probability=0.3, seconds=(0.0, 10.0)),
    PlannedFault(kind="index late", probability=0.2, seconds=(0.0, 5.0)),
    PlannedFault(kind="batch refused", probability=0.02),
    PlannedFault(kind="keys unprocessed", probability=0.03),
    PlannedFault(kind="delayed", probability=0.03, seconds=(1.0, 4.0)),
    PlannedFault(kind="delete forgotten", probability=0.01),
    PlannedFault(kind="delivered twice", probability=0.03, seconds=(0.0, 5.0)),
    PlannedFault(kind="reordered", probability=0.5),
    PlannedFault(kind="short poll blind", probability=0.2),
    PlannedFault(kind="reply late", probability=0.02, seconds=(0.05, 1.0)),
    PlannedFault(kind="reply lost", probability=0.01),
)
#: Worse than AWS has been: faults come in spells, answers are old, callers die.
_WILD: Final = (
    PlannedFault(kind="crash before", probability=0.001),
    PlannedFault(kind="request lost", probability=0.02),
    PlannedFault(kind="throttled", probability=0.01, seconds=(0.0, 1.0)),
    PlannedFault(kind="server error", probability=0.01, seconds=(0.0, 1.0)),
    # Of single objects, as a refusal of every kind of call would be no bad day but a broken stack.
    PlannedFault(
        kind="access denied",
        service="s3",
        operation="GetObject",
        program="app_tier work",
        probability=0.01,
        seconds=(0.0, 0.0),
    ),
    PlannedFault(kind="no capacity", probability=0.3, seconds=(0.0, 20.0)),
    PlannedFault(kind="start falls back", probability=0.2, seconds=(0.2, 10.0)),
    PlannedFault(kind="boot hangs", probability=0.1, seconds=(10.0, 120.0)),
    PlannedFault(kind="metadata throttled", probability=0.1, seconds=(0.0, 10.0)),
    PlannedFault(kind="metadata hangs", probability=0.1, seconds=(1.0, 5.0)),
    PlannedFault(kind="offer never speaks", probability=0.03, seconds=(1.0, 5.0)),
    PlannedFault(kind="offer refused", probability=0.03),
    PlannedFault(kind="start refused for good", probability=0.03),
    PlannedFault(kind="stop refused", probability=0.05),
    PlannedFault(kind="protected", probability=0.05),
    PlannedFault(kind="describe late", probability=0.5, seconds=(0.0, 50.0)),
    PlannedFault(kind="count late", probability=0.7, seconds=(0.0, 60.0)),
    PlannedFault(kind="index late", probability=0.5, seconds=(0.0, 20.0)),
    PlannedFault(kind="batch refused", probability=0.15),
    PlannedFault(kind="keys unprocessed", probability=0.2),
    PlannedFault(kind="delayed", probability=0.1, seconds=(1.0, 20.0)),
    PlannedFault(kind="delete forgotten", probability=0.05),
    PlannedFault(kind="delivered twice", probability=0.15, seconds=(0.0, 20.0)),
    PlannedFault(kind="reordered", probability=0.8),
    PlannedFault(kind="short poll blind", probability=0.5),
    PlannedFault(kind="reply late", probability=0.1, seconds=(0.1, 5.0)),
    PlannedFault(kind="reply lost", probability=0.04),
    PlannedFault(kind="crash after", probability=0.001),
)
PRESETS: Final[Mapping[str, FaultPlan]] = {
    "none": NOTHING,
    "mild": FaultPlan(seed=1, faults=_MILD),
    "wild": FaultPlan(seed=1, faults=_WILD),
}


def find_plan(name: str, *, seed: int | None = None) -> FaultPlan:
    """Return the plan of a preset's name or of a JSON file.

    Args:
        name: a preset or a path.
        seed: in the place of the plan's own.

    Raises:
        InvalidFaultPlan: neither, or the file's plan is not valid.
    """
    plan = PRESETS[name] if name in PRESETS else _read(Path(name))
    return plan if seed is None else replace(plan, seed=seed)


def _read(path: Path) -> FaultPlan:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InvalidFaultPlan(
            f"{path} is neither a preset ({', '.join(PRESETS)}) nor a file that can be read"
            f" ({error.strerror})"
        ) from error
    try:
        return decode(text)
    except InvalidFaultPlan as error:
        raise InvalidFaultPlan(f"{path}: {error}") from error
