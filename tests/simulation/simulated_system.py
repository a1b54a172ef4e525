"""One seed's world: the region, the programs, what clients ask, and what must be so in time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from autoscaler.decide.fitness import why_unfit
from autoscaler.decide.model import Policy
from gridwell.fleet.model import InstanceState
from tests.simulation.cache import SimulatedCache
from tests.simulation.clients import Client
from tests.simulation.daemons import (
    TICK_SECONDS,
    AutoscalerProcess,
    CollectorProcess,
    WebProcess,
)
from tests.simulation.faults import (
    COUNT_LAG,
    DESCRIBE_LAG,
    KINDS,
    LONGEST_BOOT,
    LONGEST_STOP,
    SKEW,
    Where,
)
from tests.simulation.illness import Illness, drawn
from tests.simulation.invariants import I12, I13, I16_WANT
from tests.simulation.kernel import MachineClock
from tests.simulation.killer import Killer
from tests.simulation.ledger import WatchedLedger
from tests.simulation.port import WATCHDOG_SECONDS
from tests.simulation.queue import SimulatedQueue
from tests.simulation.recorded_answers import known_problems
from tests.simulation.refusals import offers_of
from tests.simulation.region import BILLED, OFF, Hooks, SimulatedEc2
from tests.simulation.store import SimulatedStore
from tests.simulation.verdicts import Judge
from tests.simulation.workers import LINGER, Host, WorkerProcess
from web_tier.jobs.signer import Signer

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.fleet.model import Instance
    from gridwell.kinds.grid.grid import Box
    from tests.simulation.kernel import Process, Simulation
    from tests.simulation.queue import Message

_STEP: Final = 5.0  #: what the programs' own steps and pauses add to a bound


class World:
    """All that there is in one seed.

    Args:
        sim: time and chance.
        cache_keeps: whether the cache keeps anything at all.
        doubled_share: of all chunks, that two workers compute.
        guard: put around each port of the autoscaler.
    """

    def __init__(
        self,
        sim: Simulation,
        *,
        cache_keeps: bool = True,
        doubled_share: float = 0.0,
        guard: Callable[[object], object] = lambda port: port,
    ) -> None:
        self.sim = sim
        self.guard = guard
        self.doubled_share = doubled_share
        rng = sim.rng
        #: From when on promises in bounded time must hold.
        self.settled_at = float("inf") if sim.faults.rates else sim.began
        self.known = known_problems()
        self.judge = Judge(self)
        self.store = SimulatedStore(sim, self._problem_of(0), self._is_record_of)
        self.ledger = WatchedLedger(
            sim,
            self.known,
            self.judge.is_true,
            self.judge.is_kept,
            self.judge.is_fair,
            hears=self._heard,
        )
        self.signer = Signer(self.ledger)  # of those who judge
        self.cache = SimulatedCache(sim, self.ledger, keeps=cache_keeps)
        self.dead_chunks = SimulatedQueue(sim, "dead chunks")
        self.dead_results = SimulatedQueue(sim, "dead results")
        self.chunks = SimulatedQueue(
            sim,
            "chunks",
            dead=self.dead_chunks,
            leaving=self.judge.chunk_leaves,
            extending=_extended,
        )
        self.results = SimulatedQueue(
            sim, "results", dead=self.dead_results, leaving=self.judge.result_leaves
        )
        self.cores = rng.choice((1, 2))
        self.kept_seconds = rng.choice((300.0, 24 * 3600.0))
        self.policy = Policy(
            max_instances=rng.choice((1, 1, 2, 3, 4, 8)),
            chunks_per_instance=rng.randint(1, 8),
            stopped_max_age_seconds=self.kept_seconds,
            offers=offers_of(sim),
        )
        self.ec2 = SimulatedEc2(
            sim,
            cap=self.policy.max_instances,
            hooks=Hooks(
                boot=self._boot,
                cut=self._cut,
                grown=self._grown,
                silent=self._silent,
                mute=self._mute,
                given_up=self._given_up,
                unfit_seconds=self._unfit_seconds,
            ),
            grace=self.policy.boot_grace_seconds - WATCHDOG_SECONDS,  # a call may be slow
            kept_seconds=self.kept_seconds,
        )
        self.hosts: dict[str, Host] = {}
        self.illnesses: dict[str, Illness | None] = {}  #: by instance
        self.poison = self._a_chunk() if sim.faults.has("poison chunk") else None
        self.raises = self._a_chunk() if sim.faults.has("chunk raises") else None
        if sim.faults.has("queue swallows"):
            self.chunks.swallows = self._problem_of(0)
        self.clocks: list[MachineClock] = []  #: of all machines that ever were
        self._skewed = sim.faults.has("clocks differ")
        more = sim.faults.has("second autoscaler")
        self.autoscalers = [AutoscalerProcess(self, f"autoscaler {n}") for n in range(1 + more)]
        more = sim.faults.has("second collector")
        self.collectors = [CollectorProcess(self, f"collector {n}") for n in range(1 + more)]
        self.webs = [WebProcess(self, f"web {n}") for n in range(2)]
        self.clients: list[Client] = []
        self.to_come = 0
        for kind, rate in sim.faults.rates.items():
            if KINDS[kind].where is Where.OUTSIDE:
                Killer(self, kind, rate)
        #: What is promised at least of `unserved_seconds`.
        self._least_unserved = self.lag + TICK_SECONDS + LONGEST_BOOT + _STEP + sim.faults.delays
        self._serving: Host | None = None
        #: Whether the fleet could grow when the last worker was gone; None: there is one.
        self._room: bool | None = None
        self._served_at = sim.now
        self._worked_at = sim.now
        sim.glance = self._glance

    @property
    def settled(self) -> bool:
        """Whether promises in bounded time must hold by now."""
        return self.sim.now >= self.settled_at

    @property
    def lag(self) -> float:
        """How late this seed's queue and EC2 may tell what is so."""
        rates = self.sim.faults.rates
        return COUNT_LAG * ("count late" in rates) + DESCRIBE_LAG * ("describe late" in rates)

    @property
    def unserved_seconds(self) -> float:
        """B: for how long a chunk may be visible while no worker lives.

        Where there was room to grow, the next tick and a boot, and what counts and EC2 tell late.
        Else the cap's last place may just have begun to stop, which must end first; and after a new
        release the stopped instance is of the old one: it is terminated, and another launched.
        The same is true of a machine that was not fit to work.
        """
        room = 0.0 if self._room else LONGEST_STOP
        releases = {"new release", "broken release"} & self.sim.faults.rates.keys()
        renewed = LONGEST_STOP + TICK_SECONDS if releases or self._unfit else 0.0
        # It is terminated only when EC2 can show its last start no longer.
        renewed += self.policy.lag_seconds + TICK_SECONDS if self._unfit else 0.0
        return self._least_unserved + room + renewed

    @property
    def leak_seconds(self) -> float:
        """For how long an instance may be on after the last chunk.

        The worst is launched by the last late count: it boots, finds nothing, and stops.
        """
        promised = self.lag + TICK_SECONDS + LONGEST_BOOT + LINGER + LONGEST_STOP + _STEP
        return promised + self.sim.faults.delays

    @property
    def unrest(self) -> str:
        """What keeps all from being at rest; empty: nothing."""
        on = [i.id for i in self.ec2.now() if i.state not in OFF]
        open_jobs = [job.id for job in self.ledger.jobs() if not job.state.terminal]
        waiting = [client.name for client in self.clients if not client.finished]
        left = {q.name: len(q.messages) for q in (self.chunks, self.results) if q.messages}
        found = {"to come": self.to_come, "on": on, "jobs": open_jobs, "clients": waiting}
        found["messages"] = left
        found["dead letters"] = sum(self.judge.letters())
        found["in web tier"] = sum(web.waiting for web in self.webs)
        return ", ".join(f"{name} {what}" for name, what in found.items() if what)

    def machine_clock(self) -> MachineClock:
        """The clock of one more machine."""
        ahead = self.sim.rng.uniform(-SKEW, SKEW) if self._skewed else 0.0
        clock = MachineClock(self.sim, ahead)
        self.clocks.append(clock)
        return clock

    def ask_later(self, count: int, *, within: float) -> None:
        """Let clients come, some of them with the same problem."""
        rng = self.sim.rng
        for number in range(len(self.clients), len(self.clients) + count):
            self.to_come += 1
            self.sim.after(rng.uniform(0.0, within), self._asks(number, self._problem_of(number)))

    def look(self) -> None:
        """Check what need not be checked at every moment."""
        self.judge.conserves()
        if not self.settled:
            return
        on = [i.id for i in self.ec2.now() if i.state in BILLED]
        since = max(self._worked_at, self.settled_at)
        for_long = self.sim.now - since > self.leak_seconds
        self.sim.require(I13, not (on and for_long), lambda: f"{on} are on, {since} was work")

    def _glance(self) -> None:
        """At every moment, before what happens then: is work served (I12)?"""
        sim = self.sim
        if self.chunks.messages:
            self._worked_at = sim.now
        if self._is_served():
            self._served_at, self._room = sim.now, None
            return
        if self._room is None:
            standing = [i for i in self.ec2.now() if i.state is not InstanceState.TERMINATED]
            stopped = any(i.state is InstanceState.STOPPED for i in standing)
            self._room = stopped or len(standing) < self.policy.max_instances
        # Most moments are within the least that is promised: the rest need not be looked at.
        since = max(self._served_at, self.settled_at)
        if sim.now - since <= self._least_unserved:
            sim.require(I12, holds=True, detail="")
            return
        since = max(since, self.chunks.soonest)
        sim.require(
            I12,
            sim.now - since <= self.unserved_seconds,
            lambda: f"chunks wait and no worker lives for {sim.now - since:.0f} s",
        )

    def _is_served(self) -> bool:
        """Whether a worker takes chunks; most often it is the one that did a moment ago."""
        if self._serving is None or not self._serving.serves:
            self._serving = next((host for host in self.hosts.values() if host.serves), None)
        return self._serving is not None

    def _boot(self, instance: str) -> None:
        if instance in self.hosts:
            self.hosts[instance].cut()
        if instance not in self.illnesses:
            self.illnesses[instance] = illness = drawn(self.sim.faults)
            if illness is not None:
                self.sim.note(f"fault: {instance}: {illness.value}")
        self.hosts[instance] = Host(self, instance)

    def _cut(self, instance: str) -> None:
        if instance in self.hosts:
            self.hosts[instance].cut()

    @property
    def _unfit(self) -> bool:
        """Whether any machine was not fit to work so far."""
        return any(map(self._is_unfit, self.ec2.now()))

    def _is_unfit(self, instance: Instance) -> bool:
        beats = self.ledger.inner.heartbeats([instance.arn])
        suspects = self.ledger.inner.suspects([instance.arn])
        return bool(why_unfit(instance, beats, suspects))

    def _unfit_seconds(self, instance: Instance) -> float:
        if not self._is_unfit(instance):
            return 0.0
        return self.sim.now - self.ledger.heard_at.get(instance.arn, self.sim.now)

    def _is_record_of(self, key: str, problem: str) -> bool:
        folder, _, rest = key.partition("/")
        job = self.ledger.inner.read(rest.partition("/")[0]) if folder == "jobs" else None
        return job is not None and job.spec == problem

    def _silent(self, instance: Instance) -> float:
        if self.ledger.inner.suspects([instance.arn]):
            return float("inf")  # it is stopped though it speaks
        heard = self.ledger.heard_at.get(instance.arn, instance.launched)
        return self.sim.now - max(instance.launched, heard)

    def _mute(self, instance: Instance) -> bool:
        return self.ledger.heard_at.get(instance.arn, float("-inf")) < instance.launched

    def _heard(self, worker: str) -> None:
        """Note the first heartbeat of a boot."""
        instance = next(i for i in self.ec2.now() if i.arn == worker)
        if self._mute(instance):
            self.ec2.refusals.heard(instance)

    def _grown(self) -> None:
        """After a start or launch: where nothing is late, the fleet is worth its queue."""
        if self.sim.faults.rates:
            return
        booting = sum(i.state is InstanceState.PENDING for i in self.ec2.now())
        serving = sum(host.serves for host in self.hosts.values())
        worth = math.ceil(len(self.chunks.messages) / self.policy.chunks_per_instance)
        self.sim.require(
            I16_WANT, booting + serving <= worth, f"{booting} boot, {serving} work for {worth}"
        )

    def _given_up(self, instance: Instance) -> bool:
        slots = [slot for slot in self.ledger.inner.slots() if slot.instance == instance.id]
        failed = any(slot.failed_boots >= self.policy.quarantine_boots for slot in slots)
        return failed or self._is_unfit(instance)

    def _problem_of(self, number: int) -> str:
        """What a client asks: the same in a twin, whatever else happens in it."""
        return list(self.known)[int(len(self.known) * self.sim.chance("problem", number))]

    def _a_chunk(self) -> tuple[str, Box]:
        known = self.known[self._problem_of(0)]
        return known.problem.sha, self.sim.rng.choice(list(known.minima))

    def _asks(self, number: int, sha: str) -> Callable[[], None]:
        def ask() -> None:
            self.to_come -= 1
            client = "another" if self.sim.chance("client", number) < 1 / 3 else "public"
            self.clients.append(Client(self, number, self.known[sha].problem, client))

        return ask


def _extended(process: Process, message: Message) -> None:
    if isinstance(process, WorkerProcess):
        process.extends(message)
