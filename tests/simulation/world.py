"""One seed: the region, the programs, what clients ask, and the judgement at the end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from autoscaler.model import Policy
from gridwell.adapters.memory import MemoryCache, MemoryStore
from gridwell.domain.fleet import InstanceState
from gridwell.domain.job import Job, JobState
from gridwell.domain.messages import ERROR_KIND, MINIMUM_KIND, ChunkMessage
from tests.simulation.faults import FROM_OUTSIDE
from tests.simulation.kernel import Simulation, Violation
from tests.simulation.known import known_problems
from tests.simulation.ledger import WatchedLedger
from tests.simulation.programs import (
    TICK_SECONDS,
    AutoscalerProcess,
    Client,
    CollectorProcess,
    Host,
    Killer,
)
from tests.simulation.queue import Message, SimulatedQueue
from tests.simulation.region import SimulatedEc2

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping, Sequence

FAULTY_SECONDS: Final = 1500.0
LIVELY_SECONDS: Final = 7800.0  #: two deadlines and the reconciler's patience, after the faults
_SETTLING_SECONDS: Final = 700.0  #: until what the last faults left behind is over: see R1-R9
UNSERVED_SECONDS: Final = 330.0  #: B: count lag, tick, stop, boot, describe lag and a pause
_QUIET_SECONDS: Final = 60.0  #: at rest means for so long


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
    last: Sequence[str]  #: the last events


class ForgetfulCache(MemoryCache):
    """memcached, whose values are gone now and then."""

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim.clock)
        self._sim = sim

    def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """See `gridwell.domain.ports.Cache`."""
        return {} if self._sim.faults.strike("cache forgets") else super().get_many(keys)

    def set(self, key: str, value: bytes, *, seconds: int) -> None:
        """See `gridwell.domain.ports.Cache`."""
        if not self._sim.faults.strike("cache forgets"):
            super().set(key, value, seconds=seconds)


class World:
    """All that there is in one seed."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        rng = sim.rng
        self.known = known_problems()
        self.store = MemoryStore()
        self.cache = ForgetfulCache(sim)
        self.ledger = WatchedLedger(sim, self.known)
        self.ledger.buried = self._buried
        self.dead_chunks = SimulatedQueue(sim, "dead chunks")
        self.dead_results = SimulatedQueue(sim, "dead results")
        self.chunks = SimulatedQueue(
            sim, "chunks", dead=self.dead_chunks, leaving=self._chunk_leaves
        )
        self.results = SimulatedQueue(
            sim, "results", dead=self.dead_results, leaving=self._result_leaves
        )
        self.cores = rng.choice((1, 2))
        kept = rng.choice((300.0, 24 * 3600.0))
        self.policy = Policy(
            max_instances=rng.randint(1, 4),
            chunks_per_instance=rng.randint(1, 4),
            stopped_max_age_seconds=kept,
        )
        self.ec2 = SimulatedEc2(
            sim, cap=self.policy.max_instances, boot=self._boot, kept_seconds=kept
        )
        self.hosts: dict[str, Host] = {}
        self.ec2.cut = self._cut
        shas = list(self.known)
        self.poison = None
        if "poison chunk" in sim.faults.rates:
            known = self.known[rng.choice(shas)]
            self.poison = known.problem.sha, rng.choice(list(known.minima))
        two = sim.faults.rates.get("second collector") is not None
        sim.faults.injected["second collector"] += two
        self.autoscaler = AutoscalerProcess(self, "autoscaler")
        self.collectors = [CollectorProcess(self, f"collector {n}") for n in range(1 + two)]
        self.clients: list[Client] = []
        self.to_come = rng.randint(1, 5)
        for number in range(self.to_come):
            sim.after(rng.uniform(0.0, 1200.0), self._asks(number, rng.choice(shas)))
        for kind in FROM_OUTSIDE:
            if kind in sim.faults.rates:
                Killer(self, kind, sim.faults.rates[kind])
        self.unserved_since: float | None = None

    @property
    def unrest(self) -> str:
        """What keeps all from being at rest; empty: nothing."""
        on = [i.id for i in self.ec2.now() if i.state not in _OFF]
        open_jobs = [job.id for job in self.ledger.jobs() if not job.state.terminal]
        waiting = [client.name for client in self.clients if not client.finished]
        left = {q.name: len(q.messages) for q in (self.chunks, self.results) if q.messages}
        found = {"to come": self.to_come, "on": on, "jobs": open_jobs, "clients": waiting}
        found["messages"] = left
        return ", ".join(f"{name} {what}" for name, what in found.items() if what)

    def note_lie(self, problem: str) -> None:
        """Remember whose results are not true."""
        self.ledger.lied |= {j.attempt for j in self.ledger.jobs() if j.problem == problem}

    def look(self, settled_at: float | None) -> None:
        """Check that work is served (I12), as an operator would: now and then."""
        served = any(host.serves for host in self.hosts.values())
        if served or not self.chunks.visible or settled_at is None or self.sim.now < settled_at:
            self.unserved_since = None
            return
        self.unserved_since = self.unserved_since or self.sim.now
        self.sim.require(
            "I12 work is served",
            self.sim.now - self.unserved_since <= UNSERVED_SECONDS,
            f"{self.chunks.visible} chunks wait and no worker lives for too long",
        )

    def _boot(self, instance: str) -> None:
        if instance in self.hosts:
            self.hosts[instance].cut()
        self.hosts[instance] = Host(self, instance)

    def _cut(self, instance: str) -> None:
        if instance in self.hosts:
            self.hosts[instance].cut()

    def _asks(self, number: int, sha: str) -> Callable[[], None]:
        def ask() -> None:
            self.to_come -= 1
            client = self.sim.rng.choice(("public", "public", "another"))
            self.clients.append(Client(self, number, self.known[sha].problem, client))

        return ask

    def _buried(self, job: Job, chunk: int) -> bool:
        return self.chunks.buried[_chunk_body(job, chunk)] > 0

    def _wanted(self, message: Message) -> tuple[Job, int] | None:
        """The job and chunk of a message, if its result is still wanted."""
        fields = json.loads(message.body)
        job = self.ledger.inner.read(fields["job"])
        chunk: int = fields["chunk"]
        if job is None or job.attempt != fields["attempt"] or job.state.terminal:
            return None
        return None if chunk in job.done or self.sim.now > job.deadline else (job, chunk)

    def _chunk_leaves(self, message: Message) -> None:
        found = self._wanted(message)
        if found is None or self.sim.faults.injected["message lost"]:
            return
        job, chunk = found
        mark = f'"job":"{job.id}","attempt":"{job.attempt}","chunk":{chunk},'
        results = (*self.results.messages.values(), *self.dead_results.messages.values())
        kept = (
            self.chunks.carried[message.body] > 1
            or self.dead_chunks.carried[message.body] > 0
            or any(mark in result.body and not _is_error(result) for result in results)
        )
        self.sim.require("I5/I6 sent before deleted", kept, f"chunk {chunk} of {job.id} is lost")

    def _result_leaves(self, message: Message) -> None:
        found = None if _is_error(message) else self._wanted(message)
        self.sim.require("I6 merged before deleted", found is None, f"{found} is not merged")


_OFF: Final = (InstanceState.STOPPED, InstanceState.TERMINATED)


def _is_error(message: Message) -> bool:
    return bool(json.loads(message.body).get("kind") == ERROR_KIND)


def _chunk_body(job: Job, chunk: int) -> str:
    return ChunkMessage(
        kind=MINIMUM_KIND,
        job=job.id,
        attempt=job.attempt,
        chunk=chunk,
        plan=job.plan.sha,
        problem=job.problem,
    ).encode()


def simulate(seed: int, *, tell: Callable[[str], None] | None = None) -> Report:
    """Live through one seed.  Even seeds end their faults and must come to rest; odd ones do not.

    Args:
        seed: all of its chance.
        tell: takes each event's line as it happens.
    """
    sim = Simulation(seed, tell=tell)
    failure = None
    world = World(sim)
    try:
        _live(sim, world, lively=seed % 2 == 0)
    except Violation as violation:
        failure = str(violation)
    except Exception as error:  # noqa: BLE001 - whatever a program lets escape is a finding
        failure = f"a program raised {error!r}"
    states: dict[str, int] = {}
    for job in world.ledger.jobs():
        name = job.state.value if job.error is None else f"{job.state}: {job.error.code}"
        states[name] = states.get(name, 0) + 1
    return Report(
        seed=seed,
        fingerprint=sim.fingerprint,
        events=sim.events,
        seconds=sim.age,
        jobs=type(sim.checked)(states),
        injected=sim.faults.injected,
        checked=sim.checked,
        failure=failure,
        last=tuple(sim.last),
    )


def _live(sim: Simulation, world: World, *, lively: bool) -> None:
    while sim.age < FAULTY_SECONDS:
        sim.run(sim.now + TICK_SECONDS)
        world.look(None)
    if not lively:
        return
    sim.faults.on = False
    sim.note("faults end")
    quiet, resting = sim.now, None
    while sim.now - quiet < LIVELY_SECONDS:
        sim.run(sim.now + TICK_SECONDS)
        world.look(quiet + _SETTLING_SECONDS)
        if world.unrest:
            resting = None
            continue
        resting = resting or sim.now
        if sim.now - resting >= _QUIET_SECONDS:
            break
    sim.require("I11/I13 at rest", not world.unrest, world.unrest)
    ended = {JobState.DONE, JobState.FAILED, JobState.CANCELLED}
    sim.require("I11 all ended", {j.state for j in world.ledger.jobs()} <= ended, "jobs are open")
