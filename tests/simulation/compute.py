"""Computing in virtual time: known minima, series and maps, after some seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app_tier.executor.port import RunTask, TaskOutcome
from app_tier.kinds.grid.known_task import KNOWN_ANSWER, known_problem
from gridwell.engine.task_failure import RAISED
from gridwell.kinds.grid.map_objects import MAP_FILE
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.names import MAP_KIND
from gridwell.kinds.grid.potential import potential
from tests.harness.grid_tasks import box_of
from tests.simulation.illness import TEXT, Illness
from tests.simulation.kernel import Died

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gridwell.engine.task_files import FileType
    from gridwell.kinds.grid.grid import Box
    from gridwell.kinds.grid.problem import Problem
    from tests.simulation.kernel import Process
    from tests.simulation.recorded_answers import Known

_POISON_SECONDS: Final = 0.5
_TEST_SECONDS: Final = 0.1


def map_of(problem: str, box: Box) -> bytes:
    """What stands for the potentials of a problem's box."""
    return f"{problem} {box}".encode()


class SimulatedMap:
    """Implementation of `app_tier.executor.port.OutputFile`.

    Args:
        data: all of it.
        left: the maps that have not been removed yet; it adds itself.
    """

    type: FileType = MAP_FILE

    def __init__(self, data: bytes, left: set[SimulatedMap]) -> None:
        self._data = data
        self._left = left
        left.add(self)

    def read(self) -> bytes:
        """See `app_tier.executor.port.OutputFile`."""
        assert self in self._left, "a map is read after it was removed"
        return self._data

    def remove(self) -> None:
        """See `app_tier.executor.port.OutputFile`."""
        self._left.discard(self)


def is_self_test(task: RunTask) -> bool:
    """Whether a machine tests itself by this task."""
    return task.spec == known_problem().sha


@dataclass(slots=True)
class _Running:
    task: RunTask
    began: float
    ends: float  #: infinite: it hangs
    poison: bool = False


class SimulatedCompute:
    """Keeps the promises of `app_tier.executor.port.Executor`.

    Args:
        process: the worker that it computes for.
        known: what there is to find.
        cores: how many tasks run at a time.
        poison: the problem and box that kill whoever computes them.
        lies: told the ticket of each wrong result.
        raises: the problem and box that raise an error wherever they are computed.
        raised: told the ticket of each such error.
        illness: what is wrong with the machine.
    """

    def __init__(
        self,
        process: Process,
        known: Mapping[str, Known],
        *,
        cores: int,
        poison: tuple[str, Box] | None,
        raises: tuple[str, Box] | None,
        lies: Callable[[int], None],
        raised: Callable[[int], None],
        illness: Illness | None = None,
    ) -> None:
        self.rest = 0.0  #: seconds that the worker asked to wait
        self.maps: set[SimulatedMap] = set()  #: that lie beside the worker
        self._process = process
        self._illness = illness
        self._known = known
        self._cores = cores
        self._poison = poison
        self._raises = raises
        self._raised = raised
        self._lies = lies
        self._queue: list[RunTask] = []
        self._running: dict[int, _Running] = {}
        self._ended: list[TaskOutcome] = []

    def submit(self, task: RunTask) -> None:
        """See `app_tier.executor.port.Executor`."""
        self._queue.append(task)
        self._advance()

    def discard(self, ticket: int) -> None:
        """See `app_tier.executor.port.Executor`."""
        self._queue = [task for task in self._queue if task.ticket != ticket]
        self._running.pop(ticket, None)
        for outcome in self._ended:
            if outcome.ticket == ticket and outcome.file is not None:
                outcome.file.remove()
        self._ended = [outcome for outcome in self._ended if outcome.ticket != ticket]
        self._advance()

    def progress(self) -> Mapping[int, int]:
        """See `app_tier.executor.port.Executor`."""
        now = self._process.sim.now
        return {
            ticket: 0 if running.ends == float("inf") else int(10 * (now - running.began))
            for ticket, running in self._running.items()
        }

    def reported(self) -> Mapping[int, int]:
        """See `app_tier.executor.port.Executor`."""
        return {
            ticket: 0
            if is_self_test(running.task)
            else int(
                len(self._known[running.task.spec].points)
                * (self._process.sim.now - running.began)
                / (running.ends - running.began)
            )
            for ticket, running in self._running.items()
        }

    def finished(self) -> list[TaskOutcome]:
        """See `app_tier.executor.port.Executor`."""
        self._advance()
        ended, self._ended = self._ended, []
        return ended

    def wait(self, seconds: float) -> None:
        """See `port.Compute`; the worker's last act in a step, so it only notes it."""
        now = self._process.sim.now
        soonest = min((r.ends for r in self._running.values()), default=float("inf"))
        self.rest = max(0.0, min(seconds, soonest - now))

    def _advance(self) -> None:
        sim = self._process.sim
        while True:
            for ticket, running in list(self._running.items()):
                if running.ends <= sim.now:
                    if running.poison:
                        raise Died
                    del self._running[ticket]
                    self._ended.append(self._outcome(running))
            if not self._queue or len(self._running) >= self._cores:
                return
            task = self._queue.pop(0)
            self._running[task.ticket] = self._begin(task)

    def _begin(self, task: RunTask) -> _Running:
        sim = self._process.sim
        if self._poison == (task.spec, box_of(task)):
            sim.faults.injected["poison chunk"] += 1
            return _Running(task, sim.now, sim.now + _POISON_SECONDS, poison=True)
        if self._illness is Illness.HANGS:
            return _Running(task, sim.now, float("inf"))
        if is_self_test(task) or self._illness is not None:
            return _Running(task, sim.now, sim.now + _TEST_SECONDS)
        seconds = 0.1 + 8.0 * sim.chance("chunk", task.spec, box_of(task)) ** 2
        if sim.faults.strike("chunk hangs"):
            seconds = float("inf")
        elif sim.faults.strike("chunk is slow"):
            seconds = sim.rng.uniform(30.0, 400.0)
        return _Running(task, sim.now, sim.now + seconds)

    def _outcome(self, running: _Running) -> TaskOutcome:
        faults, task = self._process.sim.faults, running.task
        seconds = running.ends - running.began
        ill = self._illness
        if ill is not None and (ill.is_seen or not is_self_test(task)):
            return TaskOutcome(ticket=task.ticket, error=TEXT, code=ill.code)
        if is_self_test(task):
            return TaskOutcome(ticket=task.ticket, best=KNOWN_ANSWER, seconds=seconds)
        if self._raises == (task.spec, box_of(task)):
            faults.injected["chunk raises"] += 1
            self._raised(task.ticket)
            return TaskOutcome(ticket=task.ticket, error="as always", code=RAISED)
        if faults.strike("chunk fails"):
            return TaskOutcome(ticket=task.ticket, error="by chance")
        known = self._known[task.spec]
        box = box_of(task)
        best, points = known.minima[box], known.points
        if best is not None and faults.strike("result lies"):
            self._lies(task.ticket)
            best = Minimum(best.value - 1000.0, best.index)
            points = (best, *points[1:]) if points else ()
        elif best is None or best != known.least:
            pass  # a lie about it would change nothing
        elif not points and faults.strike("true value, wrong point"):
            self._lies(task.ticket)
            best = self._wrong_point(known.problem, box) or best
        elif faults.strike("no candidate claimed"):
            self._lies(task.ticket)
            best, points = None, ()
        kept = task.kind == MAP_KIND
        chunk_map = SimulatedMap(map_of(task.spec, box), self.maps) if kept else None
        return TaskOutcome(
            ticket=task.ticket,
            best=None if best is None else best.key(),
            payload=tuple(point.key() for point in points) if known.problem.series else None,
            file=chunk_map,
            seconds=seconds,
        )

    def _wrong_point(self, problem: Problem, box: Box) -> Minimum | None:
        """A point of the box with its true potential, which need not be the least."""
        rng = self._process.sim.rng
        place = [rng.randrange(low, high) for low, high in zip(box.low, box.high, strict=True)]
        index = problem.grid.linear(*place)
        value = potential(
            problem.grid,
            problem.atoms,
            index,
            min_distance=problem.min_distance,
            softening=problem.softening,
        )
        return None if value is None else Minimum(value, index)
