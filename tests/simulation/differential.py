"""Two lives that must come to the same: without a cache, and with an autoscaler that dies."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from tests.simulation.faults import Faults
from tests.simulation.invariants import I17_TWIN, I18
from tests.simulation.kernel import Died, Simulation
from tests.simulation.recorded_answers import cut_finely
from tests.simulation.run_seed import Report, report, rest, simulate
from tests.simulation.simulated_system import World

if TYPE_CHECKING:
    from collections.abc import Callable

_CALLS: Final = 400  #: about so many an autoscaler makes in two waves
_WAVE_SECONDS: Final = 3000.0  #: in which a wave of jobs is done, and the fleet at home again


def without_cache(seed: int) -> Report:
    """A life without faults, whose clients must be told the same where the cache keeps nothing."""
    twin = simulate(seed, faults=Faults.none, cache_keeps=False)
    life = simulate(seed, faults=Faults.none)
    return _compared(life, twin, I17_TWIN, (life.told, twin.told), same=life.told == twin.told)


def poisoned(seed: int) -> Report:
    """A life in which a chunk ends whoever computes it, and nothing else goes wrong.

    Whatever dies then is that chunk: what lay beside it must not be blamed.
    """
    return simulate(seed, faults=Faults.poison)


def with_crash(seed: int, call: int, *, after: bool) -> Report:
    """A life whose autoscaler dies at one of its calls: no more is launched than in its twin.

    Args:
        seed: of both lives.
        call: at which of the autoscaler's calls it dies.
        after: whether the call takes effect.
    """
    twin, life = two_waves(seed), two_waves(seed, call, after=after)
    launches = life.launches, twin.launches
    return _compared(life, twin, I18, launches, same=life.launches <= twin.launches)


def two_waves(seed: int, call: int | None = None, *, after: bool = False) -> Report:
    """A cold fleet and as many jobs as it needs; then, when it has gone home, the same once more.

    Args:
        seed: the fleet's limits, the jobs, how long machines boot.
        call: at which of its calls the autoscaler dies; None: it does not.
        after: whether that call takes effect.
    """
    with cut_finely():
        sim = Simulation(seed, faults=Faults.none)
        fuse = Fuse(call, after=after)
        world = World(sim, guard=fuse.wrap)
        if call is not None:
            world.settled_at = float("inf")  # a dead autoscaler serves nobody until it is back
        return report(world, lambda: _two_waves(world))


def a_call(seed: int) -> tuple[int, bool]:
    """One of the first wave's calls at which a seed's autoscaler is to die, and whether after it.

    Few of all calls act, and these are among the first: they are drawn more often.
    """
    rng = random.Random(seed)
    return 1 + int(_CALLS * rng.random() ** 3), rng.random() < 0.5


class Fuse:
    """Makes a program die at one of its calls, whatever port it is of.

    Args:
        breaks_at: at which; None: at none.
        after: whether that call takes effect.
    """

    def __init__(self, breaks_at: int | None = None, *, after: bool = False) -> None:
        self.calls = 0
        self._breaks_at = breaks_at
        self._after = after

    def wrap(self, port: object) -> Any:
        """The port, with the fuse in every call."""
        return _Fused(port, self)

    def blow(self, make: Callable[[], Any]) -> Any:
        """Make a call, or die."""
        self.calls += 1
        if self.calls != self._breaks_at:
            return make()
        if self._after:
            make()
        raise Died


class _Fused:
    def __init__(self, port: object, fuse: Fuse) -> None:
        self._port = port
        self._fuse = fuse

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)
        return lambda *args, **options: self._fuse.blow(lambda: method(*args, **options))


def _two_waves(world: World) -> None:
    for _ in range(2):
        world.ask_later(3, within=0.0)
        rest(world, within=_WAVE_SECONDS)


def _compared(life: Report, twin: Report, invariant: str, seen: object, *, same: bool) -> Report:
    life.checked[invariant] += 1
    failure = life.failure or twin.failure or (None if same else f"{invariant}: {seen}")
    return Report(
        seed=life.seed,
        fingerprint=life.fingerprint + twin.fingerprint,
        events=life.events + twin.events,
        seconds=life.seconds + twin.seconds,
        jobs=life.jobs + twin.jobs,
        injected=life.injected,
        checked=life.checked + twin.checked,
        failure=failure,
        last=life.last or twin.last,
        told=life.told,
        launches=life.launches,
    )
