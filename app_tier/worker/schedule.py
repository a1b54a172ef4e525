"""Choice of the held tasks that are run next: those that can be run and whose result is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app_tier.executor.port import RunTask
from gridwell.engine.errors import InvalidMessage, ServiceBusy, ServiceDenied
from gridwell.engine.lru_cache import LruCache
from gridwell.engine.object_keys import problem_object
from gridwell.engine.task_failure import PROBLEM_DENIED, PROBLEM_MISSING, UNSUPPORTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app_tier.worker.context import WorkerContext
    from app_tier.worker.held_tasks import HeldTask, HeldTasks
    from app_tier.worker.job_cache import JobCache
    from app_tier.worker.outbox import Outbox

SUSPECT_RECEIVES: Final = 3  #: more than a machine that goes home or is killed explains
_KEPT_SPECS: Final = 256
_KEPT_BYTES: Final = 64 * 1024 * 1024  #: two of the largest specs


class _NotRunnable(Exception):  # noqa: N818 - a verdict
    """A task cannot be run here."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Schedule:
    """Submits held tasks to the executor.

    Args:
        context: of the worker.
        held: the tasks that it holds.
        jobs: their jobs.
        outbox: takes reports of those that cannot be run.
    """

    def __init__(
        self, context: WorkerContext, held: HeldTasks, jobs: JobCache, outbox: Outbox
    ) -> None:
        self._context = context
        self._held = held
        self._jobs = jobs
        self._outbox = outbox
        self._specs: LruCache[str, bytes] = LruCache(_KEPT_SPECS, weight=_KEPT_BYTES)

    def submit(self) -> None:
        """Submit new tasks, those that are wanted."""
        context = self._context
        new = [held for held in self._held if not held.submitted]
        if not new or context.paused or not self._learn(new):
            return
        # A job that is only remembered may have begun a new attempt since, whose tasks these are:
        # only what was read after a message came may call it obsolete.
        doubtful = [held for held in new if self._obsolete_reason(held) is not None]
        if doubtful and not self._learn(doubtful, older_than=0.0):
            return
        if not self._judge([held for held in new if not self._drop_obsolete(held)]):
            return
        for held in isolate_suspects(list(self._held), context.ports.chance()):
            try:
                task = self._task(held)
            except ServiceBusy as error:
                context.busy("fetching a spec", error)
                break
            except ServiceDenied as error:
                name = f"problem {held.message.problem}"
                self._outbox.denied(held, PROBLEM_DENIED, name, error)
            except _NotRunnable as error:
                context.note("chunk_refused", f"{held.name} cannot be computed: {error}")
                self._outbox.failed(held, error.code, str(error))
            except InvalidMessage as error:  # a forged number, not the job's fault
                context.note("chunk_refused", f"{held.name} cannot be computed: {error}")
                self._held.release_later(held)
            else:
                context.ports.compute.submit(task)
                held.submitted = True
        self._outbox.delete()

    def drop_obsolete(self) -> None:
        """Read the jobs of all held tasks, and drop those whose result is not wanted any more."""
        if self._learn(self._held, older_than=0.0):
            for held in self._held:
                self._drop_obsolete(held)
            self._outbox.delete()

    def _learn(self, tasks: Iterable[HeldTask], **older_than: float) -> bool:
        """Read the jobs of tasks; False if that failed, and nothing changed."""
        try:
            names = [held.message.job for held in tasks]
            self._jobs.learn(names, self._context.now, **older_than)
        except ServiceBusy as error:
            self._context.busy("reading jobs", error)
            return False
        return True

    def _obsolete_reason(self, held: HeldTask) -> str | None:
        """Return the reason why a task is not wanted, by its job as last read; None: it may be."""
        known, now = self._jobs.get(held.message.job), self._context.ports.clock.now()
        return known.obsolete_reason(held.message, now)

    def _drop_obsolete(self, held: HeldTask) -> bool:
        """Drop a task that is not wanted, by its job as last read, and have it deleted."""
        reason = self._obsolete_reason(held)
        if reason is None:
            return False
        self._context.note("chunk_void", f"{held.name} is not wanted: {reason}", serious=False)
        self._outbox.settle(held)
        return True

    def _judge(self, tasks: Sequence[HeldTask]) -> bool:
        """Judge which tasks may be what ends workers; False if that cannot be known now."""
        for held in tasks:
            if held.suspect is not None:
                continue
            held.suspect = False
            if held.receives <= SUSPECT_RECEIVES:
                continue
            message, jobs = held.message, self._context.ports.jobs
            try:
                failure = jobs.read_failure(message.job, message.attempt, message.chunk)
            except ServiceBusy as error:
                held.suspect = None
                self._context.busy("reading a failure", error)
                return False
            held.suspect = failure is None
        return True

    def _task(self, held: HeldTask) -> RunTask:
        message, known = held.message, self._jobs.get(held.message.job)
        if known.unreadable:
            raise _NotRunnable(UNSUPPORTED, known.unreadable)
        if known.job is None:  # such a task is obsolete, and dropped before
            raise InvalidMessage(f"there is no job {message.job}")
        tasks = message.task_set
        if tasks.stop > known.job.tasks:
            raise InvalidMessage(f"its job has {known.job.tasks} tasks, numbered from 0")
        return RunTask(
            ticket=held.ticket,
            kind=message.kind,
            spec=message.problem,
            data=self._spec(message.problem),
            detail=known.job.detail,
            task=message.chunk,
            count=len(tasks),
            hint=known.best,
        )

    def _spec(self, sha: str) -> bytes:
        """Return a stored spec; compute processes check and decode it."""
        data = self._specs.get(sha)
        if data is None:
            data = self._context.ports.store.get(problem_object(sha))
            if data is None:
                raise _NotRunnable(PROBLEM_MISSING, f"problem {sha} is not in the store")
            self._specs.put(sha, data, len(data))
        return data


def isolate_suspects(tasks: Sequence[HeldTask], chance: float) -> list[HeldTask]:
    """Return the tasks to run now, of those that wait.

    A task that ends the whole worker leaves no error behind, and takes those beside it along, time
    and again: those too come nearer to the dead letters.  So a suspect runs alone, and of several
    one is chosen at random.  Suspects were received often, and no error of them is known.

    Args:
        tasks: all held tasks, judged.
        chance: uniform in [0, 1).
    """
    waiting = [held for held in tasks if not held.submitted]
    running = [held for held in tasks if held.submitted]
    if any(held.suspect for held in running):
        return []
    calm = [held for held in waiting if not held.suspect]
    if calm or running or not waiting:
        return calm
    return [waiting[int(chance * len(waiting))]]
