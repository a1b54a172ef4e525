"""Living through one seed, and the judgement at its end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from gridwell.fleet.model import InstanceState
from tests.simulation.daemons import TICK_SECONDS
from tests.simulation.faults import LONGEST_STOP, Faults
from tests.simulation.invariants import CALM, I11, I11_TRIED, I13_AGED, I14
from tests.simulation.kernel import Simulation, Violation
from tests.simulation.recorded_answers import cut_finely
from tests.simulation.simulated_system import World
from tests.simulation.task_world import TaskWorld

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

FAULTY_SECONDS: Final = 720.0
_ASKING_SECONDS: Final = 560.0  #: of these, in which the first clients come
LIVELY_SECONDS: Final = 7800.0  #: two deadlines and the reconciler's patience, after the faults
_QUIET_SECONDS: Final = 60.0  #: at rest means for so long
_PATIENCE: Final = 900.0  #: of the reconciler, before it sends again
_DOUBLED: Final = 1 / 16  #: of all seeds, in which two workers compute a share of the chunks
_DOUBLED_SHARE: Final = 0.3
_MANY_TASKS: Final = 1 / 4  #: of all seeds, in which there are jobs of many tasks too
_SHORT_AGE: Final = 1000.0  #: stopped instances that go so soon are waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of a seed."""

    seed: int
    fingerprint: str
    events: int
    seconds: float  #: of virtual time
    jobs: Counter[str]  #: how many ended how
    injected: Counter[str]
    checked: Counter[str]
    failure: str | None
    last: Sequence[str]  #: the last events, if it failed
    told: Sequence[str] = field(default=())  #: what each client was told in the end
    launches: int = 0  #: instances that ever were


def simulate(
    seed: int,
    *,
    tell: Callable[[str], None] | None = None,
    faults: Callable[[random.Random], Faults] = Faults.draw,
    cache_keeps: bool = True,
    doubled_share: float | None = None,
) -> Report:
    """Live through one seed.

    Even seeds end their faults and must come to rest; odd ones do not, and only what must hold at
    any moment is looked at.

    Args:
        seed: all of its chance.
        tell: takes each event's line as it happens.
        faults: draws its faults.
        cache_keeps: whether the cache keeps anything at all.
        doubled_share: of all chunks, that two workers compute; None: the seed draws it.
    """
    with cut_finely():
        sim = Simulation(seed, tell=tell, faults=faults)
        if doubled_share is None:
            doubled_share = _DOUBLED_SHARE if sim.chance("doubled share") < _DOUBLED else 0.0
        world = World(sim, cache_keeps=cache_keeps, doubled_share=doubled_share)
        lived = report(world, lambda: _live(world, lively=seed % 2 == 0))
    if lived.failure is None and sim.chance("many tasks") < _MANY_TASKS:
        return _with_tasks(lived, tell=tell, faults=faults)
    return lived


def _with_tasks(
    lived: Report,
    *,
    tell: Callable[[str], None] | None,
    faults: Callable[[random.Random], Faults],
) -> Report:
    """Live through jobs of many tasks too, in a world of their own."""
    sim = Simulation(lived.seed, tell=tell, faults=faults)
    world = TaskWorld(sim)
    failure = _failure_of(world.live)
    ends = Counter(f"tasks: {job.state.value}" for job in world.ledger.jobs())
    sim.note(f"the end of tasks: {sorted(ends.items())}, {failure}")
    return replace(
        lived,
        fingerprint=f"{lived.fingerprint} {sim.fingerprint}",
        events=lived.events + sim.events,
        seconds=lived.seconds + sim.age,
        jobs=lived.jobs + ends,
        injected=lived.injected + sim.faults.injected,
        checked=lived.checked + sim.checked,
        failure=failure,
        last=tuple(sim.last) if failure else (),
    )


def _failure_of(life: Callable[[], None]) -> str | None:
    """Live; returns what did not hold, if anything."""
    try:
        life()
    except Violation as violation:
        return str(violation)
    except Exception as error:  # noqa: BLE001 - whatever a program lets escape is a finding
        return f"{CALM}: {error!r}"
    return None


def report(world: World, life: Callable[[], None]) -> Report:
    """Live, and tell what became of it."""
    sim = world.sim
    failure = _failure_of(life)
    jobs = Counter(
        job.state.value if job.error is None else f"{job.state.value}: {job.error.code}"
        for job in world.ledger.jobs()
    )
    sim.note(f"the end: {sorted(jobs.items())}, {failure}")
    return Report(
        seed=sim.seed,
        fingerprint=sim.fingerprint,
        events=sim.events,
        seconds=sim.age,
        jobs=jobs,
        injected=sim.faults.injected,
        checked=sim.checked,
        failure=failure,
        last=tuple(sim.last) if failure else (),
        told=tuple(
            f"{client.name}: {client.told.state.value} {client.told.result}"
            for client in world.clients
            if client.told is not None
        ),
        launches=len(world.ec2.inner.instances()),
    )


def rest(world: World, *, within: float) -> None:
    """Let all come to rest, for which there is so much time."""
    sim = world.sim
    began, resting = sim.now, None
    while sim.now - began < within:
        sim.run(sim.now + TICK_SECONDS)
        world.look()
        if world.unrest:
            resting = None
            continue
        resting = resting or sim.now
        if sim.now - resting >= _QUIET_SECONDS:
            break
    sim.require(I11, not world.unrest, lambda: world.unrest)
    sim.require(I14, not any(web.waiting for web in world.webs), "somebody waits at the end")
    sim.checked[CALM] += 1
    for job in world.ledger.expired:
        tried = job.resends > 0 or job.deadline < world.settled_at + _PATIENCE
        sim.require(I11_TRIED, tried, f"{job.id} was left to its deadline")


def _live(world: World, *, lively: bool) -> None:
    sim = world.sim
    world.ask_later(sim.rng.randint(1, 5), within=_ASKING_SECONDS)
    while sim.age < FAULTY_SECONDS:
        sim.run(sim.now + TICK_SECONDS)
        world.look()
    if not lively:
        return
    sim.faults.on = False
    if "broken release" in sim.faults.rates:  # the operator mends it
        world.ec2.inner.current_release = "release-mended"
    sim.note("faults end")
    world.settled_at = min(world.settled_at, sim.now + sim.faults.settling)
    world.ask_later(sim.rng.randint(0, 2), within=sim.faults.settling + 600.0)
    rest(world, within=LIVELY_SECONDS)
    if world.kept_seconds <= _SHORT_AGE:
        # Where faults came to an end ages may begin anew: a row was lost, or another took over.
        since = max(sim.now, world.settled_at)
        sim.run(since + world.kept_seconds + world.lag + LONGEST_STOP + 4 * TICK_SECONDS)
        kept = world.ec2.refusals.kept
        there = [i.id for i in world.ec2.now() if i.state is not InstanceState.TERMINATED]
        left = [name for name in there if not kept[name]]
        sim.require(I13_AGED, not left, f"{left} are still there")
