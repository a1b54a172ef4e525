"""One compute process and its tasks: the one that it computes and the next."""

from __future__ import annotations

import contextlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from ctypes import c_int64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app_tier.executor import child
from app_tier.executor.output_file import MapFile, remove
from app_tier.executor.port import TaskOutcome
from app_tier.executor.spec_cache import SpecCache
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

    from app_tier.executor.port import ChunkTask

LOST: Final = "its compute process died"
#: What pure code raises on every machine alike; memory, files and the like may fail on one alone.
_OF_THE_CODE: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    TypeError,
    ValueError,
)
#: What a machine raises that has no room, no more open files, processes or threads.
_OF_THE_MACHINE: Final = (OSError, MemoryError, RuntimeError)


@dataclass(slots=True, eq=False)
class _Running:
    task: ChunkTask
    cell: int
    future: Future[child.Ran]
    wanted: bool = True


class ComputeProcess:
    """A compute process that is replaced when it dies.

    Each core has an executor of its own, with one process, so that a process that dies takes no
    more than its own tasks with it.

    Args:
        folder: where problems and maps are handed over.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tasks: dict[int, _Running] = {}  #: by ticket, in the order of submission
        self._lost: list[TaskOutcome] = []
        self._known: SpecCache[None] = SpecCache()  #: problems that the process has
        self._is_open = False  #: whether there is an executor that takes tasks
        self._open()

    @property
    def tasks(self) -> int:
        """How many tasks the process has, those that are being stopped included."""
        return len(self._tasks)

    @property
    def futures(self) -> list[Future[child.Ran]]:
        """What to wait for."""
        return [running.future for running in self._tasks.values()]

    def __contains__(self, ticket: int) -> bool:
        return ticket in self._tasks

    def submit(self, task: ChunkTask) -> None:
        """Give the process a task; it must have fewer than `child.CELLS`.

        Where the machine does not let us (a full disk, no more files or processes), the task has
        failed on this machine, and its outcome says so.
        """
        try:
            self._submit(task)
        except _OF_THE_MACHINE as error:
            remove(self._stored(task.ticket))
            self._known.drop(task.problem)  # the process may never have seen it
            self._lost.append(
                TaskOutcome(ticket=task.ticket, error=f"{error!r}", code=MACHINE_FAILED)
            )

    def _submit(self, task: ChunkTask) -> None:
        if not self._is_open:
            self._open()
        cell = min({*range(child.CELLS)} - {running.cell for running in self._tasks.values()})
        base = cell * child.CELL_SIZE
        for place in range(child.CELL_SIZE):
            self._counters[base + place] = 0
        # By a file as maps are: through a pipe it would be in the process's memory three times.
        stored = None
        if task.problem in self._known:
            self._known.take(task.problem)
        else:
            stored = self._stored(task.ticket)
            stored.write_bytes(task.data)
            self._known.put(task.problem, None, len(task.data))
        try:
            future = self._executor.submit(
                child.run,
                cell,
                task.kind,
                task.problem,
                stored,
                task.box,
                task.incumbent,
                self._file(task.ticket),
            )
        except BrokenProcessPool:
            self._bury()  # it died since anybody looked
            self._submit(task)
            return
        self._tasks[task.ticket] = _Running(task, cell, future)

    def discard(self, ticket: int) -> None:
        """Stop a task soon, and tell nothing of it."""
        running = self._tasks[ticket]
        running.wanted = False
        self._counters[running.cell * child.CELL_SIZE + child.STOP] = 1

    def progress(self) -> dict[int, int]:
        """Counters of the tasks that have started and are wanted, by ticket."""
        return self._told(child.MOVES)

    def found(self) -> dict[int, int]:
        """How many points of their series the wanted tasks have found, by ticket."""
        return self._told(child.FOUND)

    def finished(self) -> list[TaskOutcome]:
        """Outcomes of ended tasks, each told once; a dead process is replaced."""
        ended = [running for running in self._tasks.values() if running.future.done()]
        if any(_is_lost(running.future) for running in ended):
            self._bury()
            ended = []
        outcomes, self._lost = self._lost, []
        for running in ended:
            error, task = running.future.exception(), running.task
            del self._tasks[task.ticket]
            if error is not None:  # it may have had no chance to keep the problem
                self._known.drop(task.problem)
            if running.wanted and isinstance(error, child.UnknownProblem):
                self.submit(task)
            elif running.wanted:
                outcomes.append(self._outcome(running))
            else:
                self._file(task.ticket).remove()
        return outcomes

    def kill(self) -> None:
        """End the process at once, whatever it does, and as if it had died."""
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

    def _told(self, place: int) -> dict[int, int]:
        """What stands at a place of the wanted tasks' cells, by ticket, where it is not 0."""
        numbers = {
            ticket: self._counters[running.cell * child.CELL_SIZE + place]
            for ticket, running in self._tasks.items()
            if running.wanted
        }
        return {ticket: number for ticket, number in numbers.items() if number > 0}

    def _outcome(self, running: _Running) -> TaskOutcome:
        ticket = running.task.ticket
        error = running.future.exception() if running.future.done() else BrokenProcessPool()
        file = self._file(ticket)
        if error is None:
            ran = running.future.result()
            return TaskOutcome(
                ticket=ticket,
                best=ran.best,
                points=ran.points,
                map=file if ran.mapped else None,
                seconds=ran.seconds,
            )
        file.remove()  # what there is of it
        words = str(error) if isinstance(error, GridwellError) else f"{error!r}"
        code = _code(error)
        return TaskOutcome(ticket=ticket, error=LOST if code == PROCESS_DIED else words, code=code)

    def _stored(self, ticket: int) -> Path:
        return self._folder / f"{ticket}.npz"

    def _file(self, ticket: int) -> MapFile:
        return MapFile(self._folder / f"{ticket}.npy")

    def _processes(self) -> list[multiprocessing.process.BaseProcess]:
        # Private, and the only way: an executor ends politely or not at all until Python 3.14.
        return list((self._executor._processes or {}).values())  # noqa: SLF001

    def _open(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._counters = context.RawArray(c_int64, child.CELLS * child.CELL_SIZE)
        self._known = SpecCache()
        self._executor = ProcessPoolExecutor(
            1, mp_context=context, initializer=child.begin, initargs=(self._counters,)
        )
        self._is_open = True

    def _bury(self) -> None:
        """Replace a dead process.  It loses the task that it computed; the others wait for the new.

        A process takes its tasks in turn, so the first that has not ended is the one that it died
        with, also if it died before that could move.
        """
        unended = [running for running in self._tasks.values() if _is_lost(running.future)]
        told = [running for running in self._tasks.values() if running not in unended[1:]]
        self._lost += [self._outcome(running) for running in told if running.wanted]
        for running in unended:
            self._file(running.task.ticket).remove()
            remove(self._stored(running.task.ticket))
        self._tasks.clear()
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._is_open = False
        with contextlib.suppress(*_OF_THE_MACHINE):  # each task that follows tries again, and tells
            self.warm()
        for running in unended[1:]:
            if running.wanted:
                self.submit(running.task)


def _is_lost(future: Future[child.Ran]) -> bool:
    """Whether a dead process took the task's end with it; it may be yet to say so."""
    return not future.done() or isinstance(future.exception(), BrokenProcessPool)


def _code(error: BaseException) -> str:
    """The code of a task's error."""
    if isinstance(error, BrokenProcessPool):
        return PROCESS_DIED
    if isinstance(error, OtherVersion):
        return UNSUPPORTED
    if isinstance(error, InvalidMessage):
        return PROBLEM_UNREADABLE
    return RAISED if isinstance(error, _OF_THE_CODE) else MACHINE_FAILED
