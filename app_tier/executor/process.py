"""One compute process and its tasks: the one that it runs and the next."""

from __future__ import annotations

import contextlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from ctypes import c_int64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app_tier.executor import child
from app_tier.executor.output_file import LocalFile, remove
from app_tier.executor.port import TaskOutcome
from app_tier.executor.spec_cache import spec_cache, spec_key
from gridwell.engine.errors import GridwellError, InvalidMessage, OtherVersion
from gridwell.engine.task_failure import (
    MACHINE_FAILED,
    PROBLEM_UNREADABLE,
    PROCESS_DIED,
    RAISED,
    UNSUPPORTED,
)

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from app_tier.executor.port import RunTask
    from app_tier.executor.spec_cache import SpecKey
    from gridwell.engine.lru_cache import LruCache

LOST: Final = "its compute process died"
#: Raised by pure code on every machine alike; memory, files and the like may fail on one alone.
_OF_THE_CODE: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    TypeError,
    ValueError,
)
#: Raised by a machine that has no room, no more open files, processes or threads.
_OF_THE_MACHINE: Final = (OSError, MemoryError, RuntimeError)


@dataclass(slots=True, eq=False)
class _Running:
    task: RunTask
    cell: int
    future: Future[child.Ran]
    wanted: bool = True


class ComputeProcess:
    """A compute process that is replaced when it dies.

    Each core has an executor of its own, with one process, so that a process that dies takes no
    more than its own tasks with it.

    Args:
        folder: where specs and the files of tasks are handed over.
        runners: the importable name of the runners, see `app_tier.executor.child.begin`.
    """

    def __init__(self, folder: Path, runners: str) -> None:
        self._folder = folder
        self._runners = runners
        self._tasks: dict[int, _Running] = {}  #: by ticket, in the order of submission
        self._lost: list[TaskOutcome] = []
        self._known: LruCache[SpecKey, None] = spec_cache()  #: specs that the process has
        self._is_open = False  #: whether there is an executor that takes tasks
        self._open()

    @property
    def tasks(self) -> int:
        """The number of its tasks, those that are being stopped included."""
        return len(self._tasks)

    @property
    def futures(self) -> list[Future[child.Ran]]:
        """One for each task, done when the task has ended."""
        return [running.future for running in self._tasks.values()]

    def __contains__(self, ticket: int) -> bool:
        return ticket in self._tasks

    def submit(self, task: RunTask) -> None:
        """Give the process a task; it must have fewer than `child.CELLS`.

        Where the machine does not let us (a full disk, no more files or processes), the task has
        failed on this machine, and its outcome says so.
        """
        try:
            self._submit(task)
        except _OF_THE_MACHINE as error:
            remove(self._stored(task.ticket))
            self._known.drop(spec_key(task))  # the process may never have seen it
            self._lost.append(
                TaskOutcome(ticket=task.ticket, error=f"{error!r}", code=MACHINE_FAILED)
            )

    def _submit(self, task: RunTask) -> None:
        if not self._is_open:
            self._open()
        cell = min({*range(child.CELLS)} - {running.cell for running in self._tasks.values()})
        base = cell * child.CELL_SIZE
        for place in range(child.CELL_SIZE):
            self._counters[base + place] = 0
        # By a file: through a pipe it would be in the process's memory three times.
        stored, key = None, spec_key(task)
        if key in self._known:
            self._known.get(key)
        else:
            stored = self._stored(task.ticket)
            stored.write_bytes(task.data)
            self._known.put(key, None, len(task.data))
        try:
            future = self._executor.submit(
                child.run,
                cell,
                key,
                stored,
                task.detail,
                range(task.task, task.task + task.count),
                task.hint,
                self._output(task.ticket),
            )
        except BrokenProcessPool:
            self._bury()  # it died since the last look
            self._submit(task)
            return
        self._tasks[task.ticket] = _Running(task, cell, future)

    def discard(self, ticket: int) -> None:
        """Stop a task soon; it has no outcome."""
        running = self._tasks[ticket]
        running.wanted = False
        self._counters[running.cell * child.CELL_SIZE + child.STOP] = 1

    def progress(self) -> dict[int, int]:
        """Return the counters of the tasks that have started and are wanted, by ticket."""
        return self._numbers(child.MOVES)

    def reported(self) -> dict[int, int]:
        """Return the progress that the wanted tasks reported, by ticket."""
        return self._numbers(child.REPORTED)

    def finished(self) -> list[TaskOutcome]:
        """Return the outcomes of ended tasks, each once; a dead process is replaced."""
        ended = [running for running in self._tasks.values() if running.future.done()]
        if any(_is_lost(running.future) for running in ended):
            self._bury()
            ended = []
        outcomes, self._lost = self._lost, []
        for running in ended:
            error, task = running.future.exception(), running.task
            del self._tasks[task.ticket]
            if error is not None:  # it may have had no chance to keep the spec
                self._known.drop(spec_key(task))
                remove(self._stored(task.ticket))
            if running.wanted and isinstance(error, child.UnknownSpec):
                self.submit(task)
            elif running.wanted:
                outcomes.append(self._outcome(running))
            else:
                remove(self._output(task.ticket))
        return outcomes

    def kill(self) -> None:
        """End the process at once, as if it had died."""
        for process in self._processes():
            process.kill()

    def close(self) -> None:
        """End the process and wait for its end."""
        processes = self._processes()
        for process in processes:
            process.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)
        for process in processes:
            process.join()

    def warm(self) -> Future[int]:
        """Start the process, and have it import all that it needs.

        Raises:
            OSError: if the machine does not let us.
        """
        if not self._is_open:
            self._open()
        return self._executor.submit(child.ready)

    def _numbers(self, place: int) -> dict[int, int]:
        """Return the numbers at a place of the wanted tasks' cells, by ticket, but for zeros."""
        numbers = {
            ticket: self._counters[running.cell * child.CELL_SIZE + place]
            for ticket, running in self._tasks.items()
            if running.wanted
        }
        return {ticket: number for ticket, number in numbers.items() if number > 0}

    def _outcome(self, running: _Running) -> TaskOutcome:
        ticket = running.task.ticket
        error = running.future.exception() if running.future.done() else BrokenProcessPool()
        path = self._output(ticket)
        if error is None:
            ran = running.future.result()
            return TaskOutcome(
                ticket=ticket,
                best=ran.best,
                payload=ran.payload,
                rows=ran.rows,
                file=None if ran.file is None else LocalFile(path, ran.file),
                seconds=ran.seconds,
            )
        remove(path)  # as far as it was written
        text = str(error) if isinstance(error, GridwellError) else f"{error!r}"
        code = _code(error)
        return TaskOutcome(ticket=ticket, error=LOST if code == PROCESS_DIED else text, code=code)

    def _stored(self, ticket: int) -> Path:
        return self._folder / f"{ticket}.spec"

    def _output(self, ticket: int) -> Path:
        return self._folder / f"{ticket}.output"

    def _processes(self) -> list[multiprocessing.process.BaseProcess]:
        # Private, and the only way: an executor ends politely or not at all until Python 3.14.
        return list((self._executor._processes or {}).values())  # noqa: SLF001

    def _open(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._counters = context.RawArray(c_int64, child.CELLS * child.CELL_SIZE)
        self._known = spec_cache()
        self._executor = ProcessPoolExecutor(
            1,
            mp_context=context,
            initializer=child.begin,
            initargs=(self._counters, self._runners),
        )
        self._is_open = True

    def _bury(self) -> None:
        """Replace a dead process.  It loses the task that it computed; the others wait for the new.

        A process takes its tasks in turn, so the first that has not ended is the one that it died
        with, also if it died before that could move.
        """
        unended = [running for running in self._tasks.values() if _is_lost(running.future)]
        ended = [running for running in self._tasks.values() if running not in unended[1:]]
        self._lost += [self._outcome(running) for running in ended if running.wanted]
        for running in unended:
            remove(self._output(running.task.ticket))
            remove(self._stored(running.task.ticket))
        self._tasks.clear()
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._is_open = False
        with contextlib.suppress(*_OF_THE_MACHINE):  # the next task tries again
            self.warm()
        for running in unended[1:]:
            if running.wanted:
                self.submit(running.task)


def _is_lost(future: Future[child.Ran]) -> bool:
    """Return True if the process died before the task ended; the future may show it later."""
    return not future.done() or isinstance(future.exception(), BrokenProcessPool)


def _code(error: BaseException) -> str:
    """Return the code of a task's error."""
    if isinstance(error, BrokenProcessPool):
        return PROCESS_DIED
    if isinstance(error, OtherVersion):
        return UNSUPPORTED
    if isinstance(error, InvalidMessage):
        return PROBLEM_UNREADABLE
    return RAISED if isinstance(error, _OF_THE_CODE) else MACHINE_FAILED
