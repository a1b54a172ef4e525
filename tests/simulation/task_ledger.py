"""The ledger of jobs whose tasks leave rows: T1 to T3 at every write, by no product code."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from gridwell.adapters.memory import MemoryLedger, MemoryStore
from gridwell.engine.job import TASKS_FAILED, Job
from gridwell.engine.rows import decode_segment
from tests.harness.builders import SECRET
from tests.simulation.invariants import I4, T1, T2, T3

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gridwell.engine.blocks import Block
    from tests.simulation.kernel import Simulation

_SETS: Final = ("done", "failed", "cancelled")
_AGAIN: Final = 0.25  #: how often an old write is made again
_REMEMBERED: Final = 30

#: Sets of tasks by job, attempt and name of the set.
States = dict[tuple[str, str, str], set[int]]


class RowStore(MemoryStore):
    """A store that knows which tasks have a stored row, by attempt."""

    def __init__(self) -> None:
        super().__init__()
        self.succeeded: defaultdict[str, set[int]] = defaultdict(set)
        self.failed: defaultdict[str, set[int]] = defaultdict(set)

    def put_new(self, key: str, data: bytes, *, content_type: str) -> bool:
        """See `gridwell.engine.ports.ObjectStore`."""
        parts = key.split("/")
        if parts[0] == "jobs" and parts[3] == "rows":
            for row in decode_segment(data):
                (self.failed if row.failed else self.succeeded)[parts[2]].add(row.task)
        return super().put_new(key, data, content_type=content_type)


class TaskLedger:
    """A ledger whose every write of tasks is compared with what was there before.

    Args:
        sim: time, chance and where invariants are counted.
        store: keeps the rows.
    """

    def __init__(self, sim: Simulation, store: RowStore) -> None:
        self.inner = MemoryLedger(draw_secret=lambda: SECRET)
        self.sizes: dict[str, int] = {}  #: of blocks, by job, as recorded when it was made
        self._sim = sim
        self._store = store
        self._made: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        """The inner ledger's method."""
        return getattr(self.inner, name)

    def jobs(self) -> list[Job]:
        """All jobs, for who judges."""
        return list(self.inner._jobs.values())

    def create(self, job: Job, *, replaces: Job | None = None) -> bool:
        """See `gridwell.engine.ports.JobLedger`."""
        if job.block is not None:
            self.sizes[job.id] = job.block
        return self.inner.create(job, replaces=replaces)

    def settle(self, job: str, attempt: str, *args: Any, **options: Any) -> tuple[Block, ...]:
        """See `gridwell.engine.ports.JobLedger`."""
        self._sim.require(T2, args[0].size == self.sizes[job], f"{args[0]} of {job}")
        touched: tuple[Block, ...] = self._write("settle", (job, attempt, *args), options)
        return touched

    def record_tasks(self, job: str, attempt: str, **options: Any) -> Job | None:
        """See `gridwell.engine.ports.JobLedger`."""
        after: Job | None = self._write("record_tasks", (job, attempt), options)
        return after

    def finish_tasks(self, job: Job, *args: Any, **options: Any) -> bool:
        """See `gridwell.engine.ports.JobLedger`."""
        before = self.inner.read(job.id)
        closed = self.inner.finish_tasks(job, *args, **options)
        after = self.inner.read(job.id)
        if closed and after is not None and before != after:
            self._compare_end(after)
        return closed

    def states(self, job: str, attempt: str) -> Mapping[str, set[int]]:
        """The tasks of an attempt, by the set that they are in."""
        states = self._states()
        return {name: states.get((job, attempt, name), set()) for name in _SETS}

    def _write(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        answer = self._once(name, args, options)
        self._once(name, args, options, again=True)
        if self._made and self._sim.rng.random() < _AGAIN:
            self._once(*self._sim.rng.choice(self._made), again=True)
        self._made = [*self._made[-_REMEMBERED:], (name, args, options)]
        return answer

    def _once(
        self, name: str, args: tuple[Any, ...], options: dict[str, Any], *, again: bool = False
    ) -> Any:
        """Make a write, and compare all states with what they were."""
        before = self._states()
        full = {job.id: (job.attempt, job.full) for job in self.jobs()}
        method: Callable[..., Any] = getattr(self.inner, name)
        answer = method(*args, **options)
        after = self._states()
        require = self._sim.require
        for key in before.keys() | after.keys():
            now = after.get(key, set())
            self._compare(name, key, before.get(key, set()), now, mine=key[:2] == args[:2])
        if name == "settle":
            for kind, tasks in zip(_SETS, args[3:], strict=False):
                lost = set(tasks) - after.get((*args[:2], kind), set())
                require(T2, not lost, f"tasks {lost} are written as {kind} and lost")
        for job in self.jobs():
            attempt, blocks = full.get(job.id, (job.attempt, frozenset()))
            require(T2, attempt != job.attempt or blocks <= job.full, f"{job.id} lost blocks")
            self._compare_full(job)
        if again:
            require(I4, after == before, lambda: f"{name} made again changes {before} to {after}")
        return answer

    def _compare(
        self, name: str, key: tuple[str, str, str], was: set[int], now: set[int], *, mine: bool
    ) -> None:
        """Compare one set of tasks with what it was before a write."""
        require = self._sim.require
        require(T2, was <= now, lambda: f"{name} takes tasks {was - now} from {key}")
        require(T2, mine or was == now, lambda: f"{name} changes {key} of another attempt")
        if key[2] != "cancelled":
            kept = self._store.succeeded if key[2] == "done" else self._store.failed
            bare = now - kept[key[1]]
            require(T1, not bare, lambda: f"tasks {bare} are {key[2]} without a row that says so")

    def _compare_full(self, job: Job) -> None:
        """A job says of a block that it is settled only when each of its tasks is in a set."""
        ended = set().union(*self.states(job.id, job.attempt).values()) if job.full else set()
        size = self.sizes.get(job.id, 0)
        for number in job.full:
            whole = set(range(number * size, min((number + 1) * size, job.tasks)))
            left = whole - ended
            self._sim.require(T3, not left, f"block {number} of {job.id} is full without {left}")

    def _states(self) -> States:
        states: States = defaultdict(set)
        for job in self.jobs():
            if not self.sizes.get(job.id):
                states[job.id, job.attempt, "done"] |= job.done
                states[job.id, job.attempt, "failed"] |= job.failed
        for (job_id, attempt, number), block in self.inner._task_blocks._blocks.items():
            first = number * self.sizes[job_id]
            for name in _SETS:
                states[job_id, attempt, name] |= {first + k for k in getattr(block, name)}
        return states

    def _compare_end(self, job: Job) -> None:
        """A job ends by its counts only when each task is in a set, and each counts once."""
        require = self._sim.require
        states = self.states(job.id, job.attempt)
        every = set(range(job.tasks))
        ended = set().union(*states.values())
        require(T3, ended == every, lambda: f"{job.id} ends without tasks {every - ended}")
        counts = job.counts
        assert counts is not None
        done, failed = states["done"], states["failed"] - states["done"]
        said = counts.total, counts.done, counts.failed
        require(T3, said == (job.tasks, len(done), len(failed)), f"{job.id} says {counts}")
        code = None if job.error is None else job.error.code
        right = TASKS_FAILED if len(done) < job.tasks else None
        require(T3, code == right, f"{job.id} ends by {code}, {counts}")
        self._sim.note(f"job {job.id[:6]} run {job.run} ends: {counts}")
