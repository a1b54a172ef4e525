"""Selection of the planned fault that happens at a call.

The decision is a pure function of `plan`; this module holds its state: the plan in force, the
counts, and the time.  Safe to call from any thread.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gridwell.local_stack.faults.plan import (
    NOTHING,
    FaultPlan,
    FaultTarget,
    PlannedFault,
    between,
    chance,
    concerns,
    is_program,
    strikes,
)

if TYPE_CHECKING:
    from collections.abc import Callable

#: Kinds that continue for a while once they have begun.
SPELLS: Final = frozenset(
    {"throttled", "server error", "access denied", "no capacity", "metadata throttled"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A fault that happens at a call."""

    kind: str
    seconds: float  #: within the fault's bounds
    rng: random.Random  #: for whatever else is left to chance


@dataclass(slots=True)
class _Count:
    """Counts of one line of the plan."""

    met: int = 0
    struck: int = 0
    spells: dict[tuple[str, str], float] = field(default_factory=dict)  #: their ends


@dataclass(slots=True)
class Injector:
    """Decides about every call, and counts.

    Args:
        clock: seconds that only grow.
    """

    clock: Callable[[], float] = time.monotonic
    plan: FaultPlan = NOTHING
    injected: Counter[str] = field(default_factory=Counter)
    _lock: threading.Condition = field(default_factory=threading.Condition)
    _lines: dict[str, list[tuple[int, PlannedFault]]] = field(default_factory=dict)
    _counts: list[_Count] = field(default_factory=list)
    _away_until: float = float("-inf")

    @property
    def is_quiet(self) -> bool:
        """True if nothing is planned."""
        return not self._lines

    def plans(self, kind: str) -> bool:
        """Return True if this kind is planned anywhere."""
        return kind in self._lines

    def put(self, plan: FaultPlan) -> None:
        """Follow a new plan from now on; all counts begin at 0."""
        lines: dict[str, list[tuple[int, PlannedFault]]] = defaultdict(list)
        for number, fault in enumerate(plan.faults):
            lines[fault.kind].append((number, fault))
        with self._lock:
            self.plan = plan
            self.injected = Counter()
            self._counts = [_Count() for _ in plan.faults]
            self._lines = dict(lines)

    def strike(self, kind: str, target: FaultTarget, program: Callable[[], str]) -> Strike | None:
        """Return the fault of this kind that happens at a call now, and count it; None for none.

        Call it only where the fault would have an effect, as each counted fault has happened.

        Args:
            kind: of the fault.
            target: the call.
            program: returns the caller's program; called only if the plan names a program.
        """
        lines = self._lines.get(kind)
        if lines is None:
            return None
        found = [
            (number, fault)
            for number, fault in lines
            if concerns(fault, target)
            and (fault.program is None or is_program(fault.program, program()))
        ]
        with self._lock:
            if self._lines.get(kind) is not lines:
                return None  # the plan was changed meanwhile
            struck = [s for number, fault in found if (s := self._at_line(number, fault, target))]
            if not struck:
                return None
            self.injected[kind] += 1
        return struck[0]

    def _at_line(self, line: int, fault: PlannedFault, target: FaultTarget) -> Strike | None:
        count, now, seed = self._counts[line], self.clock(), self.plan.seed
        count.met += 1
        draw = chance(seed, line, count.met)
        # AWS counts calls by operation: one that is throttled says nothing of another.
        operation = target.service, target.operation
        in_spell = now < count.spells.get(operation, float("-inf"))
        if not in_spell:
            if not strikes(fault, number=count.met, struck=count.struck, draw=draw):
                return None
            count.struck += 1
        bounds = fault.seconds or (0.0, 0.0)
        seconds = between(bounds, chance(seed, line, count.met, "seconds"))
        if not in_spell and fault.kind in SPELLS:
            count.spells[operation] = now + seconds
        return Strike(
            kind=fault.kind,
            seconds=seconds,
            rng=random.Random(chance(seed, line, count.met, "rest")),  # noqa: S311 - not secret
        )

    def go_away(self, seconds: float) -> None:
        """Let every call wait for so long, as if the network held it; 0 ends it at once."""
        with self._lock:
            self._away_until = self.clock() + seconds
            self._lock.notify_all()

    def away_seconds(self) -> float:
        """Return the seconds for which no call is served, from now on."""
        return max(0.0, self._away_until - self.clock())

    def await_return(self) -> None:
        """Wait until calls are served."""
        if self._away_until == float("-inf"):
            return
        with self._lock:
            while (left := self.away_seconds()) > 0:
                self._lock.wait(left)
