"""Compute processes, one for each core: the worker's `Compute` port.

`concurrent.futures` with spawn: where a process dies its futures raise, while those of
`multiprocessing.Pool` would wait for ever; and a forked child would inherit boto3 and its sockets.
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

    from app_tier.executor.port import ChunkTask, TaskOutcome

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
    """Keeps the promises of `app_tier.executor.port.Executor` with processes.

    Args:
        cores: how many processes, at least 1.
        stuck_seconds: a discarded task that has not stopped after so long has its process killed.
    """

    def __init__(self, cores: int, *, stuck_seconds: float = 10.0) -> None:
        os.environ.update(ENVIRONMENT)  # children inherit it, before they import numpy
        # What a broken disk does not let go of must not keep the worker from its end.
        self._folder = tempfile.TemporaryDirectory(
            prefix="gridwell-compute-", ignore_cleanup_errors=True
        )
        self._lanes = [ComputeProcess(Path(self._folder.name)) for _ in range(cores)]
        self._stuck_seconds = stuck_seconds
        self._stopping: dict[int, float] = {}  #: since when, by ticket
        self._waiting: deque[ChunkTask] = deque()  #: tasks that no process has room for
        self._starting = [lane.warm() for lane in self._lanes]

    @property
    def folder(self) -> Path:
        """Where problems and maps are handed over."""
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
        """Wait until the first processes are up, and tell their ids.

        Raises:
            BrokenProcessPool: if one cannot start.
            TimeoutError: if one takes too long.
        """
        return [future.result(_START_SECONDS) for future in self._starting]

    def submit(self, task: ChunkTask) -> None:
        """See `app_tier.executor.port.Executor`."""
        self._waiting.append(task)
        self._feed()

    def discard(self, ticket: int) -> None:
        """See `app_tier.executor.port.Executor`; a process that does not obey is killed."""
        self._waiting = deque(task for task in self._waiting if task.ticket != ticket)
        for lane in self._lanes:
            if ticket in lane:
                lane.discard(ticket)
                self._stopping[ticket] = time.monotonic()

    def progress(self) -> Mapping[int, int]:
        """See `app_tier.executor.port.Executor`."""
        return dict(ChainMap(*(lane.progress() for lane in self._lanes)))

    def found(self) -> Mapping[int, int]:
        """See `app_tier.executor.port.Executor`."""
        return dict(ChainMap(*(lane.found() for lane in self._lanes)))

    def finished(self) -> list[TaskOutcome]:
        """See `app_tier.executor.port.Executor`."""
        self._kill_stuck()
        outcomes = list(itertools.chain.from_iterable(lane.finished() for lane in self._lanes))
        self._feed()
        return outcomes

    def wait(self, seconds: float) -> None:
        """See `app_tier.executor.port.Executor`."""
        futures = [future for lane in self._lanes for future in lane.futures]
        if futures:
            concurrent.futures.wait(
                futures, seconds, return_when=concurrent.futures.FIRST_COMPLETED
            )
        else:
            time.sleep(seconds)

    def close(self) -> None:
        """End all processes at once, and wait for their end."""
        for lane in self._lanes:
            lane.close()
        self._folder.cleanup()

    def _feed(self) -> None:
        """Give waiting tasks to processes that have room: the emptiest first."""
        while self._waiting:
            lane = min(self._lanes, key=lambda lane: lane.tasks)
            if lane.tasks >= CELLS:
                return
            lane.submit(self._waiting.popleft())

    def _kill_stuck(self) -> None:
        """Kill the process of a task that was told to stop long ago."""
        now = time.monotonic()
        for ticket, since in list(self._stopping.items()):
            lane = next((lane for lane in self._lanes if ticket in lane), None)
            if lane is None:
                del self._stopping[ticket]
            elif now - since >= self._stuck_seconds:
                lane.kill()
