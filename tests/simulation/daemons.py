"""The programs that are started again when they die: collector, autoscaler, the web tier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from autoscaler.daemon import Daemon
from autoscaler.observe import ObservedPorts as FleetPorts
from gridwell.engine.errors import ServiceDenied
from gridwell.kinds.registry import KINDS
from tests.simulation.invariants import I14
from tests.simulation.kernel import Process
from tests.simulation.port import Port
from web_tier.collector.collector import Collector
from web_tier.collector.finisher import Finisher
from web_tier.collector.loop import CollectorLoop
from web_tier.collector.reconciler import Reconciler
from web_tier.waiting.wait_list import READ_SECONDS, ROUND_SECONDS
from web_tier.waiting.watcher import Watcher

if TYPE_CHECKING:
    from tests.simulation.simulated_system import World
    from web_tier.waiting.wait_list import Waiter

TICK_SECONDS: Final = 10.0
WATCH_SECONDS: Final = 1.0  #: between the watcher's ticks: 25 ms, but for the number of events
#: How late a waiting client may hear of an end: the ledger's turn comes even without a cache.
TOLD_SECONDS: Final = READ_SECONDS + ROUND_SECONDS + 2 * WATCH_SECONDS


def web_ports(world: World, process: Process) -> dict[str, Any]:
    """The ports that all parts of the web tier have."""
    return {
        "ledger": Port(world.ledger, "ledger", process),
        "store": Port(world.store, "store", process),
        "cache": Port(world.cache, "cache", process),
        "chunks": Port(world.chunks.of(process), "chunks", process),
    }


class Supervised(Process):
    """A process that is started anew, some seconds after it died."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world.sim, name, world.machine_clock())
        self._world = world
        self.starts()
        self.begin()
        self.wake(self.sim.now)

    def begin(self) -> None:
        """Make the program, with no memory of the last one."""
        raise NotImplementedError

    def died(self) -> None:
        longest = self.sim.rng.choice((5.0, 5.0, 120.0))
        self.sim.after(self.sim.rng.uniform(1.0, longest), self._again)

    def crash(self) -> None:
        """Die between two steps, or in a stalled one."""
        if self.alive:
            self.sim.note(f"{self.name} is killed")
            self.kill()
            self.died()

    def _again(self) -> None:
        if self._running:  # the last one has not gone yet: its stalled call is still on the stack
            self.sim.after(1.0, self._again)
            return
        self.alive = True
        self.poll_until = None
        self._due = float("inf")
        self.starts()
        self.begin()
        self.wake(self.sim.now)


class CollectorProcess(Supervised):
    """Collector and reconciler."""

    def begin(self) -> None:
        world, ports = self._world, web_ports(self._world, self)
        finisher = Finisher(
            ledger=ports["ledger"],
            store=ports["store"],
            cache=ports["cache"],
            clock=self.service_clock,
            kinds=KINDS,
            doubled_share=world.doubled_share,
        )
        collector = Collector(
            results=cast("Any", Port(world.results.of(self), "results", self)),
            ledger=ports["ledger"],
            finisher=finisher,
            cache=ports["cache"],
            clock=self.service_clock,
            poll_seconds=20.0,
        )
        reconciler = Reconciler(
            ledger=ports["ledger"],
            chunks=ports["chunks"],
            results=cast("Any", Port(world.results.of(self), "results", self)),
            dead_chunks=cast("Any", Port(world.dead_chunks.of(self), "dead chunks", self)),
            dead_results=cast("Any", Port(world.dead_results.of(self), "dead results", self)),
            finisher=finisher,
            clock=self.service_clock,
        )
        self._turns = CollectorLoop(
            collector,
            reconciler,
            clock=self.service_clock,
            jitter=lambda: self.sim.rng.uniform(0.8, 1.2),
        )

    def step(self) -> float:
        try:
            turn = self._turns.step()
        except ServiceDenied as error:
            self.sim.note(f"{self.name} ends: {error}")
            self.crash()
            return 0.0
        for done in turn.reconciled:
            self.sim.note(f"{self.name}: job {done.job[:6]}: {done.did}")
        return turn.pause or self.sim.rng.uniform(0.01, 0.05)


class AutoscalerProcess(Supervised):
    """The daemon, a tick every ten seconds."""

    def begin(self) -> None:
        world = self._world
        ports = FleetPorts(
            ec2=cast("Any", Port(world.guard(world.ec2), "ec2", self)),
            chunks=cast("Any", Port(world.guard(world.chunks.of(self)), "chunks", self)),
            ledger=cast("Any", Port(world.guard(world.ledger), "ledger", self)),
            clock=self.clock,
        )
        self._daemon = Daemon(
            ports,
            world.policy,
            fleet="gridwell",
            owner=f"{self.name}, born {self.sim.now}",
            tick_seconds=TICK_SECONDS,
        )

    def step(self) -> float:
        began = self.sim.now
        self._daemon.tick()
        return max(0.0, began + TICK_SECONDS - self.sim.now)


class WebProcess(Supervised):
    """A process of the web tier: the watcher's thread, for all who wait there."""

    def begin(self) -> None:
        ports = web_ports(self._world, self)
        self.watcher = Watcher(
            cache=ports["cache"],
            ledger=ports["ledger"],
            clock=self.service_clock,
            capacity=1000,
            kinds=KINDS,
        )
        self._waiting: dict[Waiter, tuple[Process, float]] = {}

    def died(self) -> None:
        # The connections break: whoever waited here asks again.
        for ticket, (process, _) in self._waiting.items():
            ticket.event.set()
            process.wake(self.sim.now + 1.0)
        super().died()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self.watcher._watch)

    def wait(self, ticket: Waiter, process: Process) -> None:
        """Let a client wait; its process is woken when the ticket is."""
        self.watcher._watch.add(ticket)
        self._waiting[ticket] = process, self.sim.now
        self.wake(self.sim.now)

    def leave(self, ticket: Waiter) -> None:
        """A client waits no longer."""
        self.watcher._watch.remove(ticket)
        self._waiting.pop(ticket, None)

    def step(self) -> float:
        if not self.waiting:
            return float("inf")
        self.watcher.step()
        for ticket, (process, since) in list(self._waiting.items()):
            if ticket.event.is_set():
                process.wake(self.sim.now)
            elif self._world.settled:
                ended = self._world.ledger.ended_at.get(ticket.attempt, self.sim.now)
                late = self.sim.now - max(ended, since, self._world.settled_at)
                self.sim.require(
                    I14, late <= TOLD_SECONDS, f"nobody was told of {ticket.job} for {late:.1f} s"
                )
        return WATCH_SECONDS
