"""Virtual time: events in their order, processes that sleep, block, stall and die.

There are no threads.  A step of a program runs at one moment of virtual time, with two exceptions
that make the interleavings of real processes:

* a *long poll* that finds nothing raises `Blocked` out of the program's step; the step begins anew
  when a message is there or the poll's time is over.  That is faithful because collector and worker
  do nothing before such a poll that repeating changes, but for a heartbeat that may come early.
* a *stall*: before any call of a port, a process may sleep while all others go on.  Their events
  run inside the stalled call, so everything can happen between any two calls of a step.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import math
import random
from collections import Counter, deque
from functools import partial
from typing import TYPE_CHECKING, Final

from gridwell.adapters.system_clock import ServiceClock
from tests.harness.builders import NOW
from tests.simulation.faults import KEYLESS, KEYLESS_CALL, Faults
from tests.simulation.invariants import INVARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable

_DEEPEST: Final = 3  #: stalls within stalls
_REMEMBERED: Final = 60  #: events shown with a failure


class Died(BaseException):
    """The process ends here, at once; nothing may catch this."""


class Blocked(BaseException):
    """A long poll found nothing yet; the step is to begin again."""


class Violation(BaseException):
    """An invariant does not hold."""

    def __init__(self, invariant: str, detail: str) -> None:
        self.invariant = invariant
        super().__init__(f"{invariant}: {detail}")


class Simulation:
    """The events of one seed.

    Args:
        seed: all of its chance.
        faults: draws the seed's faults.
        tell: takes each event's line as it happens; None: nobody asks.
    """

    def __init__(
        self,
        seed: int,
        *,
        faults: Callable[[random.Random], Faults] = Faults.draw,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.faults = faults(self.rng)
        self.now = NOW  #: seconds since 1970
        self.began = self.now
        self.events = 0
        #: Calls of EC2 of which the caller had no answer, by name and instance.
        self.unanswered: Counter[tuple[str, object]] = Counter()
        self.checked: Counter[str] = Counter()  #: how often each invariant was looked at
        self.last: deque[str] = deque(maxlen=_REMEMBERED)
        self.glance: Callable[[], None] = lambda: None  #: called at each moment, before its event
        self._tell = tell
        self._hash = hashlib.blake2b(digest_size=8)
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._depth = 0

    @property
    def age(self) -> float:
        """Seconds since the simulation began."""
        return self.now - self.began

    @property
    def fingerprint(self) -> str:
        """A hash of everything that happened."""
        return self._hash.hexdigest()

    def chance(self, *names: object) -> float:
        """A number in [0, 1) that hangs on the seed and these names alone, whatever else happens.

        Twins of one seed share what is drawn so.
        """
        return random.Random(f"{self.seed} {names}").random()

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Do something at a time."""
        heapq.heappush(self._heap, (max(self.now, when), next(self._numbers), action))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after some seconds."""
        self.at(self.now + seconds, action)

    def note(self, line: str) -> None:
        """Record that something happened."""
        line = f"{self.age:10.3f} {'  ' * self._depth}{line}"
        self._hash.update(line.encode())
        self.last.append(line)
        if self._tell is not None:
            self._tell(line)

    def require(self, invariant: str, holds: object, detail: str | Callable[[], str]) -> None:
        """Hold the programs to an invariant.

        Raises:
            Violation: if it does not hold.
        """
        self.checked[invariant] += 1
        if not holds:
            assert invariant in INVARIANTS, f"{invariant} is in no table"
            raise Violation(invariant, detail if isinstance(detail, str) else detail())

    def run(self, until: float) -> None:
        """Let everything happen that is due up to a time."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            when, _, action = heapq.heappop(heap)
            self.now = max(self.now, when)  # a stalled call's end may lie behind
            self.events += 1
            self.glance()
            action()
        self.now = max(until, self.now)

    def stall(self, seconds: float) -> None:
        """Let time pass for all others, in the middle of somebody's step."""
        if self._depth >= _DEEPEST:
            return
        self._depth += 1
        try:
            self.run(self.now + seconds)
        finally:
            self._depth -= 1


class MachineClock:
    """The clock of one machine, which goes wrong by some seconds.

    Args:
        sim: the true time.
        ahead: seconds by which its wall clock is ahead.
    """

    def __init__(self, sim: Simulation, ahead: float = 0.0) -> None:
        self.ahead = ahead
        self._sim = sim

    def now(self) -> float:
        """See `gridwell.engine.ports.Clock`."""
        return self._sim.now + self.ahead

    def monotonic(self) -> float:
        """See `gridwell.engine.ports.Clock`; no jump of the wall clock shows in it."""
        return self._sim.now

    def sleep(self, seconds: float) -> None:
        """See `gridwell.engine.ports.Clock`."""
        raise AssertionError(f"a step sleeps for {seconds} s, where its loop should")


class RepliedClock(ServiceClock):
    """The services' time as a machine has it whose last call was a moment ago.

    Args:
        sim: the true time.
        clock: the machine's own.
    """

    def __init__(self, sim: Simulation, clock: MachineClock) -> None:
        super().__init__(clock)
        self._sim = sim

    def now(self) -> float:
        """See `gridwell.engine.ports.Clock`."""
        at = self.monotonic()
        self.hear(math.floor(self._sim.now), asked=at, answered=at)
        return super().now()


class Process:
    """A program that takes steps, each of which says when the next one is due.

    Args:
        sim: whose time it lives in.
        name: for the trace.
        clock: of the machine that it runs on.
    """

    def __init__(self, sim: Simulation, name: str, clock: MachineClock | None = None) -> None:
        self.sim = sim
        self.name = name
        self.clock = MachineClock(sim) if clock is None else clock
        self.service_clock = RepliedClock(sim, self.clock)
        self.alive = True
        self.keyless_until = float("-inf")  #: it has no credentials before
        self.keyless_seconds = 0.0  #: for how long each call of it looks for them
        self.asleep = False  #: in the middle of a step
        self.poll_until: float | None = None  #: when the long poll ends that it is blocked in
        self._due = float("inf")
        self._turn = 0
        self._running = False

    def step(self) -> float:
        """Take a step; returns the seconds until the next one.

        Raises:
            Died: if the process ends in the middle of it.
        """
        raise NotImplementedError

    def died(self) -> None:
        """What becomes of a process that died."""
        raise NotImplementedError

    def starts(self) -> None:
        """Begin as on a machine whose metadata service may fail for a while."""
        faults = self.sim.faults
        hangs = faults.strike("metadata hangs")
        if hangs or faults.strike("metadata throttled"):
            self.keyless_until = self.sim.now + self.sim.rng.uniform(1.0, KEYLESS)
            self.keyless_seconds = KEYLESS_CALL if hangs else 0.0
            self.sim.note(f"{self.name} starts without credentials")

    def wake(self, when: float) -> None:
        """Run at a time, or before it if that was agreed already."""
        if self.alive and not self._running and when < self._due:
            self._schedule(when)

    def kill(self) -> None:
        """End it, wherever it is: in a stalled call it ends when that call would go on."""
        self.alive = False

    def stall(self, seconds: float, where: str) -> None:
        """Sleep in the middle of a step.

        Raises:
            Died: if it was killed meanwhile.
        """
        self.sim.note(f"{self.name} stalls for {seconds:.1f} s before {where}")
        self.asleep = True
        self.sim.stall(seconds)
        self.asleep = False
        if not self.alive:
            raise Died

    def _schedule(self, when: float) -> None:
        self._due = when
        self._turn += 1
        turn = self._turn
        self.sim.at(when, partial(self._run, turn))

    def _run(self, turn: int) -> None:
        if turn != self._turn or not self.alive:
            return
        self._due = float("inf")
        self._running = True
        pause = None
        try:
            pause = self.step()
            self.poll_until = None
        except Blocked:
            pause = None
        except Died:
            if self.alive:
                self.alive = False
                self.sim.note(f"{self.name} crashes")
                self.died()
            return
        finally:
            self._running = False
        if self.alive:
            if pause is None:
                self._schedule(self.block_ends())
            else:
                self._schedule(self.sim.now + pause)

    def block_ends(self) -> float:
        """When a blocked process is due, if nobody wakes it."""
        return float("inf") if self.poll_until is None else self.poll_until
