"""The collector's process on memory doubles, whose calls can be made to fail one by one."""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from app_tier.kinds.grid.runners import SERIES
from gridwell.adapters.memory import (
    ManualClock,
    MemoryCache,
    MemoryQueue,
    MemoryStore,
)
from gridwell.engine.errors import ServiceBusy
from gridwell.engine.messages import ChunkMessage
from gridwell.engine.object_keys import problem_object
from gridwell.engine.task_files import block_digests, digest_of
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.map_objects import map_digests_object, map_object
from gridwell.kinds.registry import KINDS
from tests.harness.builders import SIGNER, a_job, a_ledger, a_problem, a_result, a_series
from tests.harness.oracle import true_map, true_minimum
from web_tier.collector.collector import Collector
from web_tier.collector.finisher import Finisher
from web_tier.collector.reconciler import Reconciler
from web_tier.jobs.sealed_cache import SealedCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from gridwell.engine.job import Job
    from gridwell.engine.job_events import JobEvent
    from gridwell.kinds.grid.problem import Problem


class Died(BaseException):
    """The process is gone in the middle of a step; nothing may catch this."""


@dataclass(slots=True)
class Fuse:
    """Counts the calls of all ports together, and breaks one of them."""

    breaks_at: int | None = None
    error: type[BaseException] = ServiceBusy
    after: bool = False  #: the call takes effect and only its reply is lost
    on_call: Callable[[], None] | None = None  #: done before each call
    calls: int = field(default=0, init=False)

    @property
    def broke(self) -> bool:
        """Whether the breaking call was reached."""
        return self.breaks_at is not None and self.calls > self.breaks_at


class Fused:
    """A port all of whose methods go through a fuse."""

    def __init__(self, port: Any, fuse: Fuse) -> None:
        self._port = port
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*args: Any, **options: Any) -> Any:
            fuse, number = self._fuse, self._fuse.calls
            fuse.calls += 1
            if fuse.on_call is not None:
                fuse.on_call()
            if number != fuse.breaks_at:
                return method(*args, **options)
            if fuse.after:
                method(*args, **options)
            raise fuse.error(f"{name} broke")

        return call


class World:
    """Queues, ledger, store, cache and clock, and the programs that use them."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.ledger = a_ledger()
        self.store = MemoryStore()
        self.cache = MemoryCache(self.clock)
        self.values = SealedCache(self.cache, SIGNER)  # the same, as the web tier uses it
        self.dead_chunks = MemoryQueue(self.clock)
        self.chunks = MemoryQueue(self.clock, dead=self.dead_chunks)
        self.dead_results = MemoryQueue(self.clock)
        self.results = MemoryQueue(self.clock, dead=self.dead_results)

    def submit(self, problem: Problem | None = None, *, chunks: int = 4, **changes: Any) -> Job:
        """Store a problem and its job, as submit does."""
        problem = a_problem() if problem is None else problem
        key = problem_object(problem.sha)
        self.store.put_new(key, problem.encode(), content_type="application/octet-stream")
        job = a_job(problem, chunks=chunks, **changes)
        assert self.ledger.create(job)
        return job

    def answer(
        self, job: Job, problem: Problem, chunks: Iterable[int] | None = None, **changes: Any
    ) -> None:
        """Send the true results of chunks (all without a list), as workers do."""
        if grid_view(job).series is not None:
            found = SERIES.search(
                problem, grid_view(job).chunking.box(0), None, lambda _points: None
            )
            self.results.send([a_series(job, *(found.points or ()), **changes).encode()])
            return
        for chunk in range(job.tasks) if chunks is None else chunks:
            best = true_minimum(problem, grid_view(job).chunking.box(chunk))
            digests = self.store.get(map_digests_object(job.id, job.attempt, chunk))
            kept = {} if digests is None else {"digest": digest_of(digests)}
            self.results.send([a_result(job, chunk, best, **(kept | changes)).encode()])

    def keep_map(
        self, job: Job, problem: Problem, values: NDArray[np.float64] | None = None
    ) -> None:
        """Store the maps of all chunks of a job, as workers do; a liar's have other values."""
        for chunk in range(job.tasks):
            file = io.BytesIO()
            box = grid_view(job).chunking.box(chunk)
            own = tuple(slice(*each) for each in zip(box.low, box.high, strict=True))
            found = true_map(problem, box) if values is None else values[own]
            np.save(file, np.ascontiguousarray(found), allow_pickle=False)
            data, whose = file.getvalue(), (job.id, job.attempt, chunk)
            self.store.put_new(map_object(*whose), data, content_type="application/x-npy")
            digests = block_digests(data)
            self.store.put_new(map_digests_object(*whose), digests, content_type="")

    def finisher(self, fuse: Fuse | None = None) -> Finisher:
        """A finisher, whose calls go through a fuse if there is one."""
        return Finisher(
            ledger=_fused(self.ledger, fuse),
            store=_fused(self.store, fuse),
            cache=self.cache,
            clock=self.clock,
            kinds=KINDS,
            signer=SIGNER,
        )

    def collector(
        self, fuse: Fuse | None = None, tell: Callable[[JobEvent], None] = lambda _: None
    ) -> Collector:
        """A collector that has just started."""
        return Collector(
            results=_fused(self.results, fuse),
            ledger=_fused(self.ledger, fuse),
            finisher=replace(self.finisher(fuse), tell=tell),
            cache=self.cache,
            clock=self.clock,
            poll_seconds=0,
            tell=tell,
        )

    def reconciler(self, fuse: Fuse | None = None) -> Reconciler:
        """A reconciler that has just started."""
        return Reconciler(
            ledger=_fused(self.ledger, fuse),
            chunks=_fused(self.chunks, fuse),
            results=_fused(self.results, fuse),
            dead_chunks=_fused(self.dead_chunks, fuse),
            dead_results=_fused(self.dead_results, fuse),
            finisher=self.finisher(fuse),
            clock=self.clock,
        )

    def job(self, job: Job) -> Job:
        """The job as the ledger now has it."""
        stored = self.ledger.read(job.id)
        assert stored is not None
        return stored

    def queued_chunks(self) -> list[int]:
        """Chunk numbers of the messages in the chunk queue, rising; it is empty afterwards."""
        found: list[int] = []
        for _ in itertools.count():
            batch = self.chunks.receive(at_most=10, wait=0)
            if not batch:
                return sorted(found)
            found += [ChunkMessage.decode(received.body).chunk for received in batch]
            self.chunks.delete([received.receipt for received in batch])
        raise AssertionError

    def left(self, queue: MemoryQueue) -> int:
        """How many messages a queue holds, leased or not."""
        depth = queue.depth()
        return depth.visible + depth.in_flight


def _fused(port: Any, fuse: Fuse | None) -> Any:
    return port if fuse is None else Fused(port, fuse)
