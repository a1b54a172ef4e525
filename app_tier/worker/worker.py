"""The worker, a step at a time: no clock, queue or process of its own, only ports.

One thread runs all of it, so "sent before deleted" and "nothing is held" are facts about one list,
and a simulator can take the same steps in virtual time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app_tier.worker.context import WorkerContext, WorkerPorts
from app_tier.worker.fitness import Fitness, SelfTest
from app_tier.worker.held_tasks import HeldTasks
from app_tier.worker.inbox import Inbox
from app_tier.worker.job_cache import JobCache
from app_tier.worker.outbox import Outbox
from app_tier.worker.schedule import Schedule
from app_tier.worker.step_report import Note, StepReport, WorkerExit
from gridwell.engine.errors import ServiceBusy
from gridwell.fleet.model import Heartbeat

if TYPE_CHECKING:
    from app_tier.worker.held_tasks import HeldTask

HEARTBEAT_SECONDS: Final = 5.0
SUSPICION_SECONDS: Final = 30.0  #: between two looks for suspicions against this worker
DRAIN_SECONDS: Final = 20.0  #: for running tasks after a stop; the unit kills after 30
PLACES_PER_CORE: Final = 2  #: one chunk computes, the next is there when it ends
_UNFIT_TEXT: Final = 300  #: characters of a heartbeat's reason
_LOOK_SECONDS: Final = 1.0  #: the longest wait: leases, heartbeats and signals are looked at then


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """Options of a worker."""

    worker: str  #: its id, opaque to it: on an instance the ARN
    version: str
    cores: int = 1
    poll_seconds: float = 20.0  #: of a long poll
    idle_polls: int = 3  #: empty long polls in a row that make it idle
    minimum_uptime: float = 60.0  #: seconds before it may go for being idle
    run: str = ""  #: drawn for this process: tells its heartbeats from those of the last
    #: True: it tests its machine before it takes work, and after failures in a row.
    self_test: bool = False


class Worker:
    """Receives tasks, has them run, sends results.

    Args:
        ports: its outside.
        habits: its options.
    """

    def __init__(self, ports: WorkerPorts, habits: WorkerConfig) -> None:
        known = [runner.known_task() for runner in ports.runners.values()]
        self._ports = ports
        self._habits = habits
        self._context = WorkerContext(ports)
        self._fitness = Fitness(tests=habits.self_test)
        self._self_test = SelfTest(
            ports.compute,
            [task for task in known if task is not None],
            cores=habits.cores,
            check=ports.check,
        )
        self._held = HeldTasks(self._context)
        jobs = JobCache(ports.jobs)
        self._outbox = Outbox(self._context, self._held, jobs, self._fitness, worker=habits.worker)
        self._inbox = Inbox(
            self._context,
            self._held,
            self._outbox,
            places=PLACES_PER_CORE * habits.cores,
            poll_seconds=habits.poll_seconds,
        )
        self._schedule = Schedule(self._context, self._held, jobs, self._outbox)
        self._started = self._beat_at = self._context.now
        self._stop_at: float | None = None
        self._beats = 0
        self._unfit_at: float | None = None
        self._suspicion_at = self._started

    def stop(self) -> None:
        """Ask it to stop: it takes nothing more, and ends within `DRAIN_SECONDS`.

        Safe in a signal handler.  A poll in flight goes on to its end: the messages that it returns
        would otherwise be leased and not held.
        """
        if self._stop_at is None:
            self._stop_at = self._context.now

    def step(self) -> StepReport:
        """Do what there is to do, then wait until there may be more, at most for one long poll.

        Raises:
            ServiceDenied: if a queue, the ledger or the store will never answer.
        """
        notes: list[Note] = []
        self._context.notes = notes
        for outcome in self._ports.compute.finished():
            if not self._self_test.take(outcome):
                self._outbox.take(outcome)
        self._outbox.send()
        for held, hangs in self._held.renew():
            self._outbox.give_up(held, hangs=hangs)
        self._outbox.report_progress()
        if self._context.now >= self._beat_at:
            self._look_again()
            self._beat(draining=self._stop_at is not None)
        return StepReport(self._proceed(), notes)

    def condemn(self, reason: str) -> None:
        """Take no more work, as this machine fails: it ends within `DRAIN_SECONDS`."""
        self._fitness.condemn(reason)

    def _proceed(self) -> WorkerExit | None:
        """Take more tasks, or come nearer to an end; returns the exit if this is the end."""
        if self._stop_at is not None:
            return self._drain(self._stop_at)
        if self._passed_tests():
            return self._take_more()
        return self._leave() if self._fitness.unfit else None

    def _passed_tests(self) -> bool:
        """Return True if the machine may take work; if a test is due, continue it."""
        test, fitness, note = self._self_test, self._fitness, self._context.note
        if fitness.due and not test.running:
            reason = fitness.row or "this machine has just started"
            serious = bool(fitness.row)
            note("self_test", f"{reason}: testing this machine", serious=serious)
            self._release_unfinished()
            test.begin(self._context.now)
        if test.running:
            flaw = test.result(self._context.now)
            if flaw is None:
                self._ports.compute.wait(_LOOK_SECONDS)
                return False
            if flaw:
                fitness.failed_test(flaw)
            else:
                note("self_test", "this machine's self-test passed", serious=False)
                fitness.passed()
        return not fitness.unfit

    def _release_unfinished(self) -> None:
        """Let others take at once what is not computed yet."""
        self._held.release([held for held in self._held if held.outcome is None])

    def _leave(self) -> WorkerExit | None:
        """End as unfit, once that is reported and all results are sent, or after some seconds."""
        context = self._context
        if self._unfit_at is None:
            self._unfit_at = context.now
            context.note("unfit", f"this machine takes no more work: {self._fitness.unfit}")
        self._release_unfinished()
        reported = self._beat(draining=True)
        late = context.now - self._unfit_at >= DRAIN_SECONDS
        if not late and not (reported and self._is_clear()):
            self._ports.compute.wait(_LOOK_SECONDS)
            return None
        self._held.release(self._held)
        return WorkerExit.UNFIT

    def _take_more(self) -> WorkerExit | None:
        batch = self._inbox.receive()
        if self._stop_at is not None and batch:  # asked to stop while it polled
            self._held.release_messages([received.receipt for received in batch])
            return None
        self._inbox.take(batch)
        self._schedule.submit()
        if not self._idle():
            self._wait()
            return None
        self._beat(draining=True)
        polls = self._inbox.empty_polls
        self._context.note("idle", f"{polls} long polls in a row found no work", serious=False)
        return WorkerExit.IDLE

    def _is_clear(self) -> bool:
        """Return True if nothing is held, and nothing waits to be deleted or sent."""
        return not len(self._held) and self._outbox.empty

    def _idle(self) -> bool:
        return (
            self._inbox.empty_polls >= self._habits.idle_polls
            and self._context.now - self._started >= self._habits.minimum_uptime
            and self._is_clear()
            and self._stop_at is None
        )

    def _wait(self) -> None:
        seconds = self._context.pause.left(self._context.now) or self._inbox.rest()
        if seconds:
            self._ports.compute.wait(min(seconds, _LOOK_SECONDS))

    def _look_again(self) -> None:
        """Drop tasks whose result is not wanted any more, and read suspicions of this worker."""
        jitter = 0.8 + 0.4 * self._ports.chance()
        self._beat_at = self._context.now + HEARTBEAT_SECONDS * jitter
        self._schedule.drop_obsolete()
        if self._habits.self_test and self._context.now >= self._suspicion_at:
            self._suspicion_at = self._context.now + SUSPICION_SECONDS
            self._read_suspicion()

    def _read_suspicion(self) -> None:
        """Take no more work if a report of this worker was proved wrong: its machine is faulty."""
        name = self._habits.worker
        try:
            suspect = self._ports.fleet.suspects([name]).get(name)
        except ServiceBusy as error:
            self._context.note("busy", f"asking whether this worker is suspected: {error}")
            return
        if suspect is not None:
            self.condemn(f"a report of this worker was proved wrong: {suspect.why}")

    def _beat(self, *, draining: bool) -> bool:
        """Send a heartbeat; returns True if the ledger has it."""
        self._beats += 1
        heartbeat = Heartbeat(
            worker=self._habits.worker,
            at=self._ports.clock.now(),
            busy=len(self._held),
            draining=draining,
            chunks=self._outbox.chunks,
            seconds=self._outbox.seconds,
            version=self._habits.version,
            refuses=self._context.others.latest(self._context.now),
            run=self._habits.run,
            count=self._beats,
            skew=_rounded(self._ports.skew()),
            unfit=self._fitness.unfit[:_UNFIT_TEXT],
        )
        try:
            self._ports.fleet.beat(heartbeat)
        except ServiceBusy as error:
            self._context.note("busy", f"sending a heartbeat: {error}")
            return False
        return True

    def _drain(self, stop_at: float) -> WorkerExit | None:
        """Finish what runs, if that is soon; give everything else back."""
        late = self._context.now - stop_at >= DRAIN_SECONDS
        started = self._ports.compute.progress()

        def finishes(held: HeldTask) -> bool:
            return not late and (held.outcome is not None or held.ticket in started)

        self._held.release([held for held in self._held if not finishes(held)])
        if len(self._held):
            self._ports.compute.wait(_LOOK_SECONDS)
            return None
        self._beat(draining=True)
        self._context.note("stopped", "asked to stop, and nothing is held any more", serious=False)
        return WorkerExit.STOPPED


def _rounded(skew: float | None) -> float | None:
    """Return a skew without digits that mean nothing: services give whole seconds."""
    return None if skew is None else round(skew, 1)
