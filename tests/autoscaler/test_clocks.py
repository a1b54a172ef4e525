"""Clocks that are minutes apart, and that are set: nothing busy is stopped, no lease is lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from autoscaler.daemon import Daemon
from autoscaler.decide.model import Policy
from autoscaler.observe import ObservedPorts
from gridwell.adapters.memory import ManualClock, MemoryEc2, MemoryLedger, MemoryQueue, WrongClock
from gridwell.fleet.model import Heartbeat, InstanceState

if TYPE_CHECKING:
    from collections.abc import Callable

TICK = 10.0
BEAT = 5.0
IDLE_SECONDS = 60.0
ON = (InstanceState.PENDING, InstanceState.RUNNING)
SKEWS = (-600.0, -181.0, -61.0, 61.0, 181.0, 600.0)


@dataclass
class _Worker:
    """A plain worker: one chunk at a time, and a heartbeat by a clock of its own."""

    idle_since: float
    receipt: str | None = None
    ends: float = 0.0
    chunks: int = 0


@dataclass
class Fleet:
    """The real daemon on memory adapters, with workers that compute for long."""

    chunk_seconds: float = 120.0
    worker_ahead: float = 0.0
    max_instances: int = 4
    mute: set[str] = field(default_factory=set)  #: instances whose worker says nothing
    busy_stops: list[str] = field(default_factory=list)
    done: int = 0
    ahead_of: Callable[[float], float] | None = None  #: a worker's clock, by the time

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self.began = self.clock.now()
        self.ec2 = MemoryEc2(self.clock)
        self.queue = MemoryQueue(self.clock)
        self.ledger = MemoryLedger()
        self.policy = Policy(max_instances=self.max_instances)
        self.workers: dict[tuple[str, float], _Worker] = {}
        self.stops = 0
        self.launches: set[str] = set()
        self._stop, self.ec2.stop = self.ec2.stop, self.stopped  # type: ignore[method-assign]

    def daemon(self, *, ahead: float = 0.0, owner: str = "a", **options: Any) -> Daemon:
        self.wrong = WrongClock(self.clock, ahead=ahead)
        ports = ObservedPorts(ec2=self.ec2, chunks=self.queue, ledger=self.ledger, clock=self.wrong)
        return Daemon(
            ports, self.policy, fleet="gridwell", owner=owner, tick_seconds=TICK, **options
        )

    def stopped(self, instance: str, *, force: bool = False) -> None:
        self.stops += 1
        for (name, _), worker in self.workers.items():
            if name == instance and worker.receipt is not None and name not in self.mute:
                self.busy_stops.append(name)
        self._stop(instance, force=force)

    def run(self, seconds: float, *daemons: Daemon) -> None:
        """Let time pass, with a tick of each daemon every ten seconds."""
        for step in range(int(seconds / BEAT)):
            if step % 2 == 0:
                for daemon in daemons:
                    daemon.tick()
            self.clock.advance(BEAT)
            self.work()

    def work(self) -> None:
        for instance in self.ec2.instances():
            self.launches.add(instance.id)
            if instance.state is not InstanceState.RUNNING:
                self.workers = {k: w for k, w in self.workers.items() if k[0] != instance.id}
                continue
            if instance.id in self.mute:
                continue
            now = self.clock.now()
            worker = self.workers.setdefault((instance.id, instance.launched), _Worker(now))
            self.compute(worker, now)
            idle = worker.receipt is None and now - worker.idle_since > IDLE_SECONDS
            ahead = self.worker_ahead if self.ahead_of is None else self.ahead_of(now)
            self.ledger.beat(
                Heartbeat(
                    worker=instance.arn,
                    at=now + ahead,
                    busy=int(worker.receipt is not None),
                    draining=idle,
                    chunks=worker.chunks,
                    seconds=0.0,
                    version="1",
                )
            )
            if idle:
                self.ec2.power_off(instance.id)

    def compute(self, worker: _Worker, now: float) -> None:
        if worker.receipt is not None and now >= worker.ends:
            self.queue.delete([worker.receipt])
            worker.receipt, worker.idle_since = None, now
            worker.chunks += 1
            self.done += 1
        if worker.receipt is not None:
            self.queue.extend([worker.receipt], 60.0)
        elif received := self.queue.receive(at_most=1, wait=0):
            worker.receipt, worker.ends = received[0].receipt, now + self.chunk_seconds

    def on(self) -> int:
        return sum(instance.state in ON for instance in self.ec2.instances())


@pytest.mark.parametrize("ahead", SKEWS)
@pytest.mark.parametrize("whose", ["autoscaler", "worker"])
def test_clocks_apart_stop_nothing_busy_and_launch_nothing_more(whose: str, ahead: float) -> None:
    fleet = Fleet(chunk_seconds=300.0, worker_ahead=ahead if whose == "worker" else 0.0)
    fleet.queue.send(["chunk"] * 4)
    daemon = fleet.daemon(ahead=ahead if whose == "autoscaler" else 0.0)

    fleet.run(2000, daemon)

    assert (fleet.done, fleet.stops, len(fleet.launches)) == (4, 0, 1)
    assert fleet.on() == 0


@pytest.mark.parametrize("step", SKEWS)
def test_an_autoscalers_clock_that_is_set_stops_nothing_busy(step: float) -> None:
    fleet = Fleet(chunk_seconds=300.0)
    fleet.queue.send(["chunk"] * 4)
    daemon = fleet.daemon()
    fleet.run(100, daemon)
    for _ in range(5):
        fleet.wrong.ahead += step
        fleet.run(200, daemon)
        fleet.wrong.ahead -= step
        fleet.run(200, daemon)

    assert (fleet.done, fleet.stops, len(fleet.launches)) == (4, 0, 1)


def test_workers_whose_clocks_jump_at_each_heartbeat_are_heard() -> None:
    fleet = Fleet(chunk_seconds=300.0, ahead_of=lambda now: 600.0 * (-1) ** int(now / BEAT))
    fleet.queue.send(["chunk"] * 4)

    fleet.run(1500, fleet.daemon())

    assert (fleet.done, fleet.stops, len(fleet.launches)) == (4, 0, 1)


@pytest.mark.parametrize("ahead", [*SKEWS, 1e9])
def test_a_machine_that_falls_silent_is_stopped_whatever_its_last_heartbeat_says(
    ahead: float,
) -> None:
    fleet = Fleet(worker_ahead=ahead, max_instances=1)
    fleet.queue.send(["chunk"])
    daemon = fleet.daemon()
    fleet.run(60, daemon)
    (instance,) = fleet.ec2.instances()
    fleet.mute.add(instance.id)

    fleet.run(170, daemon)
    assert fleet.stops == 0
    fleet.run(40, daemon)

    assert fleet.stops == 1
    assert not fleet.busy_stops


@pytest.mark.parametrize("ahead", SKEWS)
def test_an_autoscaler_that_restarts_with_a_wrong_clock_gives_all_it_sees_a_grace(
    ahead: float,
) -> None:
    fleet = Fleet(chunk_seconds=300.0)
    fleet.queue.send(["chunk"] * 8)
    fleet.run(90, fleet.daemon())
    assert fleet.on() == 2

    fleet.run(1500, fleet.daemon(ahead=ahead, owner="b"))

    assert (fleet.done, fleet.stops, len(fleet.launches)) == (8, 0, 2)


@pytest.mark.parametrize("ahead", SKEWS)
def test_a_standby_never_takes_a_live_holders_lease_and_takes_a_dead_ones_in_time(
    ahead: float,
) -> None:
    fleet = Fleet(chunk_seconds=300.0)
    fleet.queue.send(["chunk"] * 4)
    holder = fleet.daemon()
    standby = fleet.daemon(ahead=ahead, owner="b")

    fleet.run(600, holder, standby)
    lease = fleet.ledger.lease()
    assert lease is not None
    assert lease.owner == "a"
    fleet.run(40, standby)

    lease = fleet.ledger.lease()
    assert lease is not None
    assert lease.owner == "b"
    fleet.run(1500, standby)
    assert (fleet.done, fleet.stops, len(fleet.launches)) == (4, 0, 1)


def test_a_clock_set_back_before_a_restart_leaves_the_fleet_alone_for_one_lease_only() -> None:
    fleet = Fleet(chunk_seconds=30.0)
    fleet.run(20, fleet.daemon())
    fleet.queue.send(["chunk"])

    fleet.run(45, fleet.daemon(ahead=-250.0, owner="b"))

    assert fleet.on() == 1


@pytest.mark.parametrize("ahead", SKEWS)
def test_boots_that_never_speak_are_counted_though_an_earlier_life_left_a_heartbeat(
    ahead: float,
) -> None:
    fleet = Fleet(chunk_seconds=10.0, worker_ahead=ahead, max_instances=1)
    daemon = fleet.daemon()
    fleet.queue.send(["chunk"])
    fleet.run(300, daemon)
    (instance,) = fleet.ec2.instances()
    assert instance.state is InstanceState.STOPPED
    fleet.mute.add(instance.id)
    fleet.queue.send(["chunk"])
    fleet.run(100, daemon)

    fleet.run(290, fleet.daemon(owner="b"))  # its first sight of that heartbeat is in this boot

    (slot,) = fleet.ledger.slots()
    assert slot.failed_boots == 1


def test_a_boot_that_spoke_and_went_home_unobserved_is_no_failed_boot() -> None:
    fleet = Fleet(chunk_seconds=10.0, max_instances=1)
    daemon = fleet.daemon()
    for _ in range(3):
        fleet.queue.send(["chunk"])
        fleet.run(20, daemon)
        fleet.run(280)  # without an autoscaler, it boots, works and goes home
        daemon = fleet.daemon(owner=f"after {fleet.done}")
        fleet.run(60, daemon)

    (slot,) = fleet.ledger.slots()
    assert (fleet.done, slot.failed_boots, fleet.stops) == (3, 0, 0)


@pytest.mark.parametrize("ahead", SKEWS)
def test_a_launch_of_unknown_fate_keeps_its_place_for_a_successor_with_another_clock(
    ahead: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = Fleet(chunk_seconds=30.0, max_instances=1)
    fleet.queue.send(["chunk"] * 8)
    shown = fleet.ec2.instances
    fleet.daemon().tick()
    monkeypatch.setattr(fleet.ec2, "instances", lambda **_: ())  # EC2 lags
    successor = fleet.daemon(ahead=ahead, owner="b")
    for _ in range(6):
        fleet.clock.advance(TICK)
        successor.tick()
    monkeypatch.setattr(fleet.ec2, "instances", shown)

    fleet.run(900, successor)

    assert len(fleet.launches) == 1
    assert fleet.done == 8


def test_one_round_waits_for_a_lease_that_its_holder_left_behind() -> None:
    fleet = Fleet()
    fleet.daemon().tick()  # and ends without giving it back
    fleet.queue.send(["chunk"])
    began = fleet.clock.now()

    plan = fleet.daemon(owner="b", ahead=-250.0).once()

    assert plan is not None
    assert len(plan.launch) == 1
    assert 30.0 <= fleet.clock.now() - began <= 31.0


def test_one_round_leaves_the_fleet_to_a_holder_that_lives() -> None:
    fleet = Fleet()
    holder = fleet.daemon()
    holder.tick()
    fleet.queue.send(["chunk"])
    other = fleet.daemon(owner="b", ahead=600.0)
    sleep = fleet.clock.sleep

    def sleeping(seconds: float) -> None:
        holder.tick()
        sleep(seconds)

    fleet.clock.sleep = sleeping  # type: ignore[method-assign]
    plan = other.once()

    assert plan is not None
    assert plan.reason == "standing by: a holds the lease"
    lease = fleet.ledger.lease()
    assert lease is not None
    assert lease.owner == "a"


@pytest.mark.parametrize("stands_still", [True, False])
def test_a_suspended_autoscaler_stops_nothing_busy_when_it_wakes(*, stands_still: bool) -> None:
    fleet = Fleet(chunk_seconds=900.0)
    fleet.queue.send(["chunk"] * 4)
    clock = _Suspendable(fleet.clock)
    ports = ObservedPorts(ec2=fleet.ec2, chunks=fleet.queue, ledger=fleet.ledger, clock=clock)
    daemon = Daemon(ports, fleet.policy, fleet="gridwell", owner="a", tick_seconds=TICK)
    fleet.run(100, daemon)
    asleep = fleet.clock.monotonic()
    fleet.run(600)
    if stands_still:  # as where a suspended machine's monotonic clock does not go on
        clock.behind += fleet.clock.monotonic() - asleep

    fleet.run(400, daemon)

    assert (fleet.stops, fleet.busy_stops, len(fleet.launches)) == (0, [], 1)


class _Suspendable(WrongClock):
    """A clock whose monotonic part may stand still while its machine sleeps."""

    behind = 0.0

    def monotonic(self) -> float:
        return super().monotonic() - self.behind


def test_an_emptied_table_and_a_clock_set_back_lock_no_autoscaler_out() -> None:
    fleet = Fleet(chunk_seconds=30.0)
    fleet.queue.send(["chunk"])
    fleet.run(400, fleet.daemon())
    fleet.ledger._lease = None  # its item is lost, the slots are not
    fleet.queue.send(["chunk"])

    fleet.run(400, fleet.daemon(ahead=-600.0, owner="b"))

    assert fleet.done == 2
