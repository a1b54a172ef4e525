"""Compute processes, one for each core.

`concurrent.futures` with spawn: where a process dies its futures raise, while those of
`multiprocessing.Pool` would wait for ever.  A forked child would inherit boto3 and its sockets.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import os
import tempfile
import time
from collections import ChainMap, deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app_tier.executor.child import CELLS
from app_tier.executor.process import ComputeProcess

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from app_tier.executor.port import RunTask, TaskOutcome

#: Each process has one core, so that its matrix products must not start threads of their own.
#: And the C library is to give large arrays back when they are let go of: left to itself it raises
#: the size that counts as large with each of them, to 32 MiB, and keeps what is smaller.
ENVIRONMENT: Final = {
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 21),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 23),
}
_START_SECONDS: Final = 60.0


class ProcessPool:
    """Implementation of `app_tier.executor.port.Executor` with processes.

    Args:
        cores: how many processes, at least 1.
        runners: the importable name of a mapping from kinds to their runners, as
            `package.module:NAME`.
        stuck_seconds: a discarded task that has not stopped after so long has its process killed.
    """

    def __init__(self, cores: int, *, runners: str, stuck_seconds: float = 10.0) -> None:
        os.environ.update(ENVIRONMENT)  # children inherit it, before they import numpy
        # Files that a broken disk keeps must not keep the worker from its end.
        self._folder = tempfile.TemporaryDirectory(
            prefix="gridwell-compute-", ignore_cleanup_errors=True
        )
        self._processes = [ComputeProcess(Path(self._folder.name), runners) for _ in range(cores)]
        self._stuck_seconds = stuck_seconds
        self._stopping: dict[int, float] = {}  #: since when, by ticket
        self._waiting: deque[RunTask] = deque()  #: tasks that no process has room for
        self._starting = [process.warm() for process in self._processes]

    @property
    def folder(self) -> Path:
        """The folder in which specs and files are handed over."""
        return Path(self._folder.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def processes(self) -> list[int]:
        """Wait until the first processes are up, and return their ids.

        Raises:
            BrokenProcessPool: if one cannot start.
            TimeoutError: if one takes too long.
        """
        return [future.result(_START_SECONDS) for future in self._starting]

    def submit(self, task: RunTask) -> None:
        """Take a task; it starts when a process has room."""
        self._waiting.append(task)
        self._feed()

    def discard(self, ticket: int) -> None:
        """Forget a task; a process that does not stop it in time is killed."""
        self._waiting = deque(task for task in self._waiting if task.ticket != ticket)
        for process in self._processes:
            if ticket in process:
                process.discard(ticket)
                self._stopping[ticket] = time.monotonic()

    def progress(self) -> Mapping[int, int]:
        """Return the counter of each task that has started and not ended, by ticket."""
        return dict(ChainMap(*(process.progress() for process in self._processes)))

    def reported(self) -> Mapping[int, int]:
        """Return the progress that unended tasks reported, by ticket."""
        return dict(ChainMap(*(process.reported() for process in self._processes)))

    def finished(self) -> list[TaskOutcome]:
        """Return the outcomes of tasks that ended, each once."""
        self._kill_stuck()
        outcomes = list(
            itertools.chain.from_iterable(process.finished() for process in self._processes)
        )
        self._feed()
        return outcomes

    def wait(self, seconds: float) -> None:
        """Return when a task has ended, or after `seconds`."""
        futures = [future for process in self._processes for future in process.futures]
        if futures:
            concurrent.futures.wait(
                futures, seconds, return_when=concurrent.futures.FIRST_COMPLETED
            )
        else:
            time.sleep(seconds)

    def close(self) -> None:
        """End all processes at once, and wait for their end."""
        for process in self._processes:
            process.close()
        self._folder.cleanup()

    def _feed(self) -> None:
        """Give waiting tasks to processes that have room: the emptiest first."""
        while self._waiting:
            process = min(self._processes, key=lambda process: process.tasks)
            if process.tasks >= CELLS:
                return
            process.submit(self._waiting.popleft())

    def _kill_stuck(self) -> None:
        """Kill processes that did not stop a discarded task in time."""
        now = time.monotonic()
        for ticket, since in list(self._stopping.items()):
            process = next((process for process in self._processes if ticket in process), None)
            if process is None:
                del self._stopping[ticket]
            elif now - since >= self._stuck_seconds:
                process.kill()
