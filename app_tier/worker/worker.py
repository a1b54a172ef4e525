"""The worker, a step at a time: no clock, queue or process of its own, only ports.

One thread runs all of it, so "sent before deleted" and "nothing in hand" are facts about one list,
and a simulator can take the same steps in virtual time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app_tier.worker.context import WorkerContext, WorkerPorts
from app_tier.worker.fitness import Fitness
from app_tier.worker.inbox import Inbox
from app_tier.worker.outbox import Outbox
from app_tier.worker.schedule import Schedule
from app_tier.worker.self_test import SelfTest
from app_tier.worker.step_report import StepReport, WorkerExit
from app_tier.worker.tally import ProgressReports
from gridwell.engine.errors import ServiceBusy
from gridwell.fleet.model import Heartbeat

if TYPE_CHECKING:
    from app_tier.worker.held_tasks import HeldTask

HEARTBEAT_SECONDS: Final = 5.0
SUSPICION_SECONDS: Final = 30.0  #: between two looks at what is held against this worker
DRAIN_SECONDS: Final = 20.0  #: what computes at a stop may take; the unit kills after 30
PLACES_PER_CORE: Final = 2  #: one chunk computes, the next is there when it ends
_UNFIT_TEXT: Final = 300  #: characters of a heartbeat's reason
_LOOK_SECONDS: Final = 1.0  #: the longest wait: leases, heartbeats and signals are looked at then


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """How a worker behaves."""

    worker: str  #: its id, opaque to it: on an instance the ARN
    version: str
    cores: int = 1
    poll_seconds: float = 20.0  #: of a long poll
    idle_polls: int = 3  #: empty long polls in a row that make it idle
    minimum_uptime: float = 60.0  #: seconds before it may go for being idle
    run: str = ""  #: drawn for this process: tells its heartbeats from those of the last
    #: Whether it tests its machine before it takes work, and after failures in a row.
    self_test: bool = False


class Worker:
    """Takes chunks, has them computed, sends results.

    Args:
        ports: what it is connected to.
        habits: how it behaves.
    """

    def __init__(self, ports: WorkerPorts, habits: WorkerConfig) -> None:
        self._ports = ports
        self._habits = habits
        self._fitness = Fitness(tests=habits.self_test)
        known = [runner.known_task() for runner in ports.runners.values()]
        self._self_test = SelfTest(
            ports.compute,
            [task for task in known if task is not None],
            cores=habits.cores,
            check=ports.check,
        )
        self._bench = WorkerContext(ports, worker=habits.worker, fitness=self._fitness)
        self._intake = Inbox(
            self._bench,
            places=PLACES_PER_CORE * habits.cores,
            poll_seconds=habits.poll_seconds,
        )
        self._admission = Schedule(self._bench)
        self._output = Outbox(self._bench, worker=habits.worker, self_test=self._self_test)
        self._tally = ProgressReports(self._bench)
        self._started = self._beat_at = self._bench.now
        self._stop_at: float | None = None
        self._beats = 0
        self._unfit_at: float | None = None
        self._suspicion_at = self._started

    def stop(self) -> None:
        """Ask it to stop: it takes nothing more, and ends within `DRAIN_SECONDS`.

        Safe in a signal handler.  A poll in flight is let to its end: whatever it returns would
        otherwise be leased to nobody.
        """
        if self._stop_at is None:
            self._stop_at = self._bench.now

    def step(self) -> StepReport:
        """Do what there is to do, then wait until there may be more, at most for one long poll.

        Raises:
            ServiceDenied: if a queue, the ledger or the store will never answer.
        """
        step = StepReport()
        self._output.collect(step)
        self._output.send(step)
        self._output.renew(step)
        self._tally.tell(step)
        if self._bench.now >= self._beat_at:
            self._look_again(step)
            self._beat(step, draining=self._stop_at is not None)
        if self._stop_at is not None:
            self._drain(step, self._stop_at)
        elif self._passed_tests(step):
            self._take_more(step)
        elif self._fitness.unfit:
            self._leave(step)
        return step

    def condemn(self, why: str) -> None:
        """Take no more work, as this machine fails: it ends within `DRAIN_SECONDS`."""
        self._fitness.condemn(why)

    def _passed_tests(self, step: StepReport) -> bool:
        """Return whether the machine may take work; if a test is due, bring it on."""
        test, fitness = self._self_test, self._fitness
        if fitness.due and not test.running:
            why = fitness.row or "this machine has just started"
            serious = bool(fitness.row)
            step.note("self_test", f"{why}: testing this machine", serious=serious)
            self._give_all_back(step)
            test.begin(self._bench.now)
        if test.running:
            flaw = test.result(self._bench.now)
            if flaw is None:
                self._ports.compute.wait(_LOOK_SECONDS)
                return False
            if flaw:
                fitness.failed_test(flaw)
            else:
                step.note("self_test", "this machine's self-test passed", serious=False)
                fitness.passed()
        return not fitness.unfit

    def _give_all_back(self, step: StepReport) -> None:
        """Let others take at once what is not computed yet."""
        rest = [held for held in self._bench.hand if held.outcome is None]
        if rest:
            self._bench.give_back(step, rest, 0)

    def _leave(self, step: StepReport) -> None:
        """End as unfit, once that is reported and all results are sent, or after some seconds."""
        bench = self._bench
        if self._unfit_at is None:
            self._unfit_at = bench.now
            step.note("unfit", f"this machine takes no more work: {self._fitness.unfit}")
        self._give_all_back(step)
        reported = self._beat(step, draining=True)
        late = bench.now - self._unfit_at >= DRAIN_SECONDS
        if not late and not (reported and bench.clear):
            self._ports.compute.wait(_LOOK_SECONDS)
            return
        bench.give_back(step, list(bench.hand), 0)
        step.exit = WorkerExit.UNFIT

    def _take_more(self, step: StepReport) -> None:
        batch = self._intake.receive(step)
        if self._stop_at is not None and batch:  # told to stop while it polled
            self._bench.release(step, [received.receipt for received in batch], 0)
            return
        self._intake.take(step, batch)
        self._admission.admit(step)
        if self._idle():
            self._beat(step, draining=True)
            step.exit = WorkerExit.IDLE
            polls = self._intake.empty_polls
            step.note("idle", f"{polls} long polls in a row found no work", serious=False)
        else:
            self._wait()

    def _idle(self) -> bool:
        return (
            self._intake.empty_polls >= self._habits.idle_polls
            and self._bench.now - self._started >= self._habits.minimum_uptime
            and self._bench.clear
            and self._stop_at is None
        )

    def _wait(self) -> None:
        seconds = self._bench.pause.left(self._bench.now) or self._intake.rest()
        if seconds:
            self._ports.compute.wait(min(seconds, _LOOK_SECONDS))

    def _look_again(self, step: StepReport) -> None:
        """Read the jobs in hand, and drop chunks whose result nobody wants any more."""
        jitter = 0.8 + 0.4 * self._ports.chance()
        self._beat_at = self._bench.now + HEARTBEAT_SECONDS * jitter
        if self._bench.learn(step, self._bench.hand, older_than=0.0):
            for held in self._bench.hand:
                self._bench.drop_obsolete(step, held)
            self._bench.delete(step)
        if self._habits.self_test and self._bench.now >= self._suspicion_at:
            self._suspicion_at = self._bench.now + SUSPICION_SECONDS
            self._ask_suspicion(step)

    def _ask_suspicion(self, step: StepReport) -> None:
        """Take no more work if a report of this worker was proved wrong: its machine is faulty."""
        name = self._habits.worker
        try:
            suspect = self._ports.fleet.suspects([name]).get(name)
        except ServiceBusy as error:
            step.note("busy", f"asking whether this worker is suspected: {error}")
            return
        if suspect is not None:
            self.condemn(f"a report of this worker was proved wrong: {suspect.why}")

    def _beat(self, step: StepReport, *, draining: bool) -> bool:
        """Send a heartbeat; whether the ledger has it."""
        self._beats += 1
        heartbeat = Heartbeat(
            worker=self._habits.worker,
            at=self._ports.clock.now(),
            busy=len(self._bench.hand),
            draining=draining,
            chunks=self._output.chunks,
            seconds=self._output.seconds,
            version=self._habits.version,
            refuses=self._bench.foreign.said(self._bench.now),
            run=self._habits.run,
            count=self._beats,
            skew=_rounded(self._ports.skew()),
            unfit=self._fitness.unfit[:_UNFIT_TEXT],
        )
        try:
            self._ports.fleet.beat(heartbeat)
        except ServiceBusy as error:
            step.note("busy", f"sending a heartbeat: {error}")
            return False
        return True

    def _drain(self, step: StepReport, stop_at: float) -> None:
        """Finish what computes, if that is soon; give everything else back."""
        late = self._bench.now - stop_at >= DRAIN_SECONDS
        started = self._ports.compute.progress()

        def finishes(held: HeldTask) -> bool:
            return not late and (held.outcome is not None or held.ticket in started)

        rest = [held for held in self._bench.hand if not finishes(held)]
        if rest:
            self._bench.give_back(step, rest, 0)
        if len(self._bench.hand):
            self._ports.compute.wait(_LOOK_SECONDS)
            return
        self._beat(step, draining=True)
        step.exit = WorkerExit.STOPPED
        step.note("stopped", "told to stop, and nothing is in hand any more", serious=False)


def _rounded(skew: float | None) -> float | None:
    """Return a skew without digits that say nothing: services tell whole seconds."""
    return None if skew is None else round(skew, 1)
