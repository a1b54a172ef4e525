"""A small region in virtual time: slow states, workers that go home, calls that go wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from autoscaler.daemon import Daemon
from autoscaler.observe import ObservedPorts
from gridwell.adapters.memory import ManualClock, MemoryEc2, MemoryLedger, MemoryQueue
from gridwell.engine.errors import NoCapacity, ServiceBusy, ServiceError
from gridwell.fleet.model import Heartbeat, Instance, InstanceState

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from autoscaler.decide.model import Policy
    from gridwell.engine.ports import Queue
    from gridwell.fleet.ports import Ec2, FleetLedger

IDLE_SECONDS = 60.0
_ALIVE = (InstanceState.PENDING, InstanceState.RUNNING, InstanceState.STOPPING)


class Killed(BaseException):
    """The daemon's process ends here, at once."""


@dataclass(kw_only=True)
class Faults:
    """How likely what goes wrong, at each call."""

    killed: float = 0.0
    lost_call: float = 0.0
    lost_reply: float = 0.0
    no_capacity: float = 0.0
    lag_seconds: float = 0.0  #: of what EC2 shows
    hung: float = 0.0  #: of a boot whose worker never speaks, on a machine that stays on
    stuck: float = 0.0  #: of a shutdown that never ends
    falls_back: float = 0.0  #: of a start that EC2 agrees to and has no room for
    stall: float = 0.0  #: of a process that sleeps before a call, while others go on


@dataclass
class _Worker:
    last_work: float
    hung: bool
    chunks: int = 0


class _Shaky:
    """Any port, with the world's faults at each of its calls."""

    def __init__(self, inner: object, world: World) -> None:
        self._inner = inner
        self._world = world

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return self._world.call(name, getattr(self._inner, name), *args, **kwargs)

        return call


@dataclass
class World:
    """EC2, the queue, the ledger and the workers; `history` keeps the most that ever stood."""

    rng: random.Random
    policy: Policy
    faults: Faults = field(default_factory=Faults)
    longest_boot: float = 120.0
    longest_stop: float = 90.0
    most: int = 0
    most_in_a_slot: int = 0
    launches: int = 0
    forced: int = 0
    broken: frozenset[str] = frozenset()  #: releases whose workers never speak
    mute: frozenset[str] = frozenset()  #: subnets in which workers never speak
    calls: Counter[str] = field(default_factory=Counter)  #: of each port, the refused ones too
    unstopped: set[str] = field(default_factory=set)  #: instances that EC2 would not stop
    before: Callable[[str], None] = field(default=lambda _: None)  #: told of each call
    busy: Callable[[], None] = field(default=lambda: None)  #: others, while a process sleeps
    daemons: int = 0

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self.ec2 = MemoryEc2(self.clock)
        self.queue = MemoryQueue(self.clock)
        self.ledger = MemoryLedger()
        self.workers: dict[tuple[str, float], _Worker] = {}
        self._asleep = False
        self._shown: list[tuple[float, tuple[Instance, ...]]] = []
        self.look()

    def daemon(self, **changes: Any) -> Daemon:
        ports = ObservedPorts(
            ec2=cast("Ec2", _Shaky(self.ec2, self)),
            chunks=cast("Queue", _Shaky(self.queue, self)),
            ledger=cast("FleetLedger", _Shaky(self.ledger, self)),
            clock=self.clock,
        )
        self.daemons += 1
        fields: dict[str, Any] = {
            "fleet": "gridwell",
            "owner": f"daemon {self.daemons}",
            "tick_seconds": 10.0,
        }
        return Daemon(ports, self.policy, **{**fields, **changes})

    def call(self, name: str, inner: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.before(name)
        slept = self._stall()
        self._chance(self.faults.killed, Killed)
        self._chance(self.faults.lost_call, ServiceBusy)
        if name in ("start", "launch"):
            self._chance(self.faults.no_capacity, NoCapacity)
        if name == "stop" and not slept:
            self._must_be_silent(args[0])
        if name == "terminate" and not slept:
            self._must_be_useless(args[0])
        self.ec2.boot_seconds = self.rng.uniform(1, self.longest_boot)
        self._draw_stop(self.faults.stuck if name == "stop" else 0.0)
        self.calls[name] += 1
        try:
            answer = (
                self._lagging(*args, **kwargs) if name == "instances" else inner(*args, **kwargs)
            )
        except ServiceError:
            if name == "stop":
                self.unstopped.add(args[0])
            raise
        self.launches += name == "launch"
        self.forced += name == "stop" and kwargs["force"]
        if name == "start" and self.rng.random() < self.faults.falls_back:
            self.ec2.fall_back(args[0])
        self.look()
        self._chance(self.faults.lost_reply, ServiceBusy)
        self._chance(self.faults.killed, Killed)
        return answer

    def send(self, chunks: int) -> None:
        self.queue.send(["chunk"] * chunks)

    def step(self, seconds: float) -> None:
        """Let time pass, then let each worker do what it would have done meanwhile."""
        self.clock.advance(seconds)
        for instance in self.look():
            if instance.state is InstanceState.RUNNING:
                self._work(instance)
        self.look()

    def look(self) -> tuple[Instance, ...]:
        """The instances as they really are, noted for the lag and for the invariants."""
        instances = self.ec2.instances()
        self._shown.append((self.clock.now(), instances))
        slots = [i.slot for i in instances if i.state is not InstanceState.TERMINATED]
        self.most = max(self.most, len(slots))
        self.most_in_a_slot = max([self.most_in_a_slot, *(slots.count(s) for s in set(slots))])
        return instances

    def count(self, *states: InstanceState) -> int:
        return sum(instance.state in states for instance in self.ec2.instances())

    @property
    def home(self) -> bool:
        """Whether all work is done and nothing is on."""
        depth = self.queue.depth()
        on = self.count(InstanceState.PENDING, InstanceState.RUNNING, InstanceState.STOPPING)
        return depth.visible + depth.in_flight + on == 0

    def _chance(self, likely: float, kind: type[BaseException]) -> None:
        if likely and self.rng.random() < likely:
            raise kind("by chance")

    def _stall(self) -> bool:
        """Sleep now and then; whether it did."""
        if self._asleep or self.rng.random() >= self.faults.stall:
            return False
        self._asleep = True
        self.step(self.rng.uniform(0, 140))
        self.busy()
        self._asleep = False
        return True

    def _draw_stop(self, likely: float) -> None:
        stuck = self.rng.random() < likely
        self.ec2.stop_seconds = 1e9 if stuck else self.rng.uniform(1, self.longest_stop)

    def _must_be_silent(self, name: str) -> None:
        """No instance with a fresh heartbeat is ever stopped (I8)."""
        (instance,) = self.ec2.instances(only=[name])
        beat = self.ledger.heartbeats([instance.arn]).get(instance.arn)
        fresh = beat is not None and self.clock.now() - beat.at < self.policy.boot_grace_seconds
        assert instance.state is InstanceState.STOPPING or not fresh, f"{instance} is at work"

    def _must_be_useless(self, name: str) -> None:
        """What is on is terminated only where EC2 would not stop it, and it is silent."""
        (instance,) = self.ec2.instances(only=[name])
        if instance.state in _ALIVE:
            assert name in self.unstopped, f"{instance} is terminated"
            self._must_be_silent(name)

    def _lagging(self, only: Sequence[str] = ()) -> tuple[Instance, ...]:
        until = self.clock.now() - self.rng.uniform(0, self.faults.lag_seconds)
        shown = next(seen for at, seen in reversed(self._shown) if at <= until or at == self._first)
        return tuple(one for one in shown if not only or one.id in only)

    @property
    def _first(self) -> float:
        return self._shown[0][0]

    def _work(self, instance: Instance) -> None:
        now = self.clock.now()
        life = (instance.id, instance.launched)
        hung = instance.release in self.broken or instance.subnet in self.mute
        hung |= self.rng.random() < self.faults.hung
        fresh = _Worker(last_work=now, hung=hung)
        worker = self.workers.setdefault(life, fresh)
        idle = now - worker.last_work
        if worker.hung:
            return
        for received in self.queue.receive(at_most=3, wait=0):
            self.queue.delete([received.receipt])
            worker.last_work, worker.chunks, idle = now, worker.chunks + 1, 0.0
        self.ledger.beat(
            Heartbeat(
                worker=instance.arn,
                at=now,
                busy=0,
                draining=idle > IDLE_SECONDS,
                chunks=worker.chunks,
                seconds=0.0,
                version="1",
            )
        )
        if idle > IDLE_SECONDS:
            self._draw_stop(self.faults.stuck)
            self.ec2.power_off(instance.id)
