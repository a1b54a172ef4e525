"""Compute with real processes, which die, hang and are told to stop."""

from __future__ import annotations

import errno
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app_tier.executor.pool import ProcessPool
from app_tier.executor.port import RunTask, TaskOutcome
from app_tier.executor.process import LOST, ComputeProcess
from app_tier.executor.smoke import smoke
from app_tier.kinds.grid.known_task import known_task
from app_tier.worker.fitness import SelfTest
from gridwell.engine.job import JobError
from gridwell.engine.task_failure import (
    MACHINE_FAILED,
    PROBLEM_UNREADABLE,
    PROCESS_DIED,
    RAISED,
    UNSUPPORTED,
)
from gridwell.kinds.grid.chunking import split
from gridwell.kinds.grid.names import SERIES_KIND
from gridwell.kinds.grid.series import Series
from tests.harness.builders import a_long_problem, a_problem, of_version
from tests.harness.grid_tasks import RUNNERS, a_run_task, best_of, points_of
from tests.harness.oracle import true_minimum, true_series
from tests.harness.waiting import await_true
from tests.harness.worker import World, actions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.kinds.grid.grid import Box
    from gridwell.kinds.grid.problem import Problem

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPool]:
    with ProcessPool(1, runners=RUNNERS, stuck_seconds=2.0) as pool:
        pool.processes()
        yield pool


def a_task(ticket: int, problem: Problem | None = None, box: Box | None = None) -> RunTask:
    problem = a_problem(5) if problem is None else problem
    return a_run_task(ticket, problem, box)


def a_long_task(ticket: int) -> RunTask:
    """Hours of computing."""
    return a_task(ticket, a_long_problem())


def outcomes(pool: ProcessPool, count: int) -> dict[int, TaskOutcome]:
    """The next outcomes, by ticket."""
    found: dict[int, TaskOutcome] = {}
    await_true(lambda: _gather(pool, found, count))
    return found


def _gather(pool: ProcessPool, found: dict[int, TaskOutcome], count: int) -> bool:
    pool.wait(0.05)
    found.update({outcome.ticket: outcome for outcome in pool.finished()})
    return len(found) >= count


def computes(pool: ProcessPool) -> bool:
    """Return whether the next task is computed, and not lost with its process."""
    pool.submit(a_task(99))
    return outcomes(pool, 1)[99].error is None


def process_of(pool: ProcessPool) -> int:
    (process,) = pool._processes[0]._processes()
    assert process.pid is not None
    return process.pid


def test_a_tasks_outcome_is_its_boxs_minimum_and_its_time(pool: ProcessPool) -> None:
    problem = a_problem(6, atoms=20)
    plan = split(problem.grid.shape, 4)
    for chunk in range(4):
        pool.submit(a_task(chunk, problem, plan.box(chunk)))

    found = outcomes(pool, 4)

    for chunk in range(4):
        assert found[chunk].error is None
        assert found[chunk].seconds > 0
        assert best_of(found[chunk]) == true_minimum(problem, plan.box(chunk))


def test_the_points_of_a_series_come_in_their_order_and_with_their_least(
    pool: ProcessPool,
) -> None:
    problem = replace(a_problem(5, atoms=9), series=Series(4, 1.5, -1))
    pool.submit(replace(a_task(1, problem), kind=SERIES_KIND))

    outcome = outcomes(pool, 1)[1]

    assert outcome.error is None
    assert points_of(outcome) == true_series(problem)
    assert len(points_of(outcome)) > 1
    assert (best_of(outcome), outcome.file) == (points_of(outcome)[0], None)


def test_points_of_a_series_are_counted_as_they_are_found(pool: ProcessPool) -> None:
    problem = replace(a_problem(40, atoms=2000), series=Series(30, 1.0, 1))
    pool.submit(replace(a_task(1, problem), kind=SERIES_KIND))
    counts = []

    def ended() -> bool:
        counts.append(pool.reported().get(1, 0))
        return bool(outcomes_so_far := pool.finished()) and outcomes_so_far[0].error is None

    await_true(ended)

    assert counts == sorted(counts)
    assert set(counts) & set(range(1, 30))
    assert pool.reported() == {}
    pool.submit(a_task(2))
    assert outcomes(pool, 1)[2].payload is None


def test_problems_may_come_in_any_order_and_be_forgotten_between(pool: ProcessPool) -> None:
    problems = [a_problem(3, seed=seed) for seed in (1, 2, 3, 4, 1, 3, 2, 1)]
    for ticket, problem in enumerate(problems):
        pool.submit(a_task(ticket, problem))

    found = outcomes(pool, len(problems))

    assert [best_of(found[k]) for k in range(8)] == [true_minimum(problem) for problem in problems]


def test_a_process_that_has_a_problem_is_not_given_it_again(pool: ProcessPool) -> None:
    task = a_task(1, a_problem(4, seed=55))
    pool.submit(task)
    first = outcomes(pool, 1)[1]
    pool.submit(replace(task, ticket=2, data=b"never read"))

    assert outcomes(pool, 1)[2].best == first.best


def test_a_stored_problem_that_is_damaged_fails_its_chunk_and_not_the_process(
    pool: ProcessPool,
) -> None:
    good = a_task(2, a_problem(4, seed=77))
    bad = replace(good, ticket=1, spec="0" * 64, data=b"odd")
    before = process_of(pool)
    pool.submit(bad)
    pool.submit(good)

    found = outcomes(pool, 2)

    assert "cannot be read" in (found[1].error or "")
    assert found[1].code == PROBLEM_UNREADABLE
    assert found[2].error is None
    assert process_of(pool) == before


def test_a_process_that_dies_loses_what_it_computed_and_not_what_waited(pool: ProcessPool) -> None:
    pool.submit(a_long_task(1))
    pool.submit(a_task(2))
    await_true(lambda: pool.progress().get(1, 0) > 0)

    os.kill(process_of(pool), signal.SIGKILL)

    found = outcomes(pool, 2)
    assert found[1] == TaskOutcome(ticket=1, error=LOST, code=PROCESS_DIED)
    assert best_of(found[2]) == true_minimum(a_problem(5))
    pool.submit(a_task(3))
    assert best_of(outcomes(pool, 1)[3]) == true_minimum(a_problem(5))


def suicide(*_: object) -> None:
    """A chunk that kills whatever computes it."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_chunk_that_kills_its_process_each_time_takes_no_other_with_it(
    pool: ProcessPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[int, TaskOutcome] = {}
    for ticket in range(0, 9, 3):
        with monkeypatch.context() as patch:
            patch.setattr("app_tier.executor.child.run", suicide)
            pool.submit(a_task(ticket))  # by the function that a process is told to call
        pool.submit(a_task(ticket + 1))
        found |= outcomes(pool, 2)

    assert {k: outcome.code for k, outcome in found.items() if outcome.error} == dict.fromkeys(
        (0, 3, 6), PROCESS_DIED
    )
    assert {best_of(found[k]) for k in (1, 4, 7)} == {true_minimum(a_problem(5))}


def raise_value_error(*_: object) -> None:
    raise ValueError("odd")


def raise_memory_error(*_: object) -> None:
    raise MemoryError


@pytest.mark.parametrize(
    ("run", "code", "words"),
    [
        (raise_value_error, RAISED, "ValueError('odd')"),
        (raise_memory_error, MACHINE_FAILED, "MemoryError()"),
    ],
)
def test_an_error_says_whether_it_may_lie_in_the_machine(
    pool: ProcessPool, monkeypatch: pytest.MonkeyPatch, run: object, code: str, words: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("app_tier.executor.child.run", run)
        pool.submit(a_task(1))

    assert outcomes(pool, 1)[1] == TaskOutcome(ticket=1, error=words, code=code)


def test_a_damaged_problem_says_so_at_each_try_and_to_each_chunk(pool: ProcessPool) -> None:
    bad = replace(a_task(1, a_problem(4, seed=99)), data=b"odd")
    for ticket in (1, 2, 3):
        pool.submit(replace(bad, ticket=ticket))

    found = outcomes(pool, 3)

    assert {outcome.code for outcome in found.values()} == {PROBLEM_UNREADABLE}
    pool.submit(a_task(4, a_problem(4, seed=99)))  # mended
    assert outcomes(pool, 1)[4].error is None


@pytest.mark.parametrize("name", ["format", "formula"])
def test_a_problem_of_another_release_is_told_from_a_damaged_one(
    pool: ProcessPool, name: str
) -> None:
    task = a_task(1, a_problem(4, seed=88))
    pool.submit(replace(task, data=of_version(task.data, name, 2)))

    found = outcomes(pool, 1)[1]

    assert found.code == UNSUPPORTED
    assert f"is of {name} 2, this release reads 1" in (found.error or "")


def test_a_death_met_at_the_next_submission_loses_the_older_tasks_and_not_the_new_one(
    pool: ProcessPool,
) -> None:
    pool.submit(a_long_task(1))
    await_true(lambda: pool.progress().get(1, 0) > 0)
    os.kill(process_of(pool), signal.SIGKILL)
    await_true(lambda: pool._processes[0]._executor._broken is not False)

    pool.submit(a_task(2))

    found = outcomes(pool, 2)
    assert (found[1].error, found[2].error) == (LOST, None)


def test_a_process_that_died_with_nothing_to_do_is_replaced_unnoticed(pool: ProcessPool) -> None:
    victim = process_of(pool)
    os.kill(victim, signal.SIGKILL)
    await_true(lambda: pool._processes[0]._executor._broken is not False)

    pool.submit(a_task(4))

    assert outcomes(pool, 1)[4].error is None
    assert process_of(pool) != victim


def test_progress_rises_while_a_task_computes_and_a_discarded_one_stops(pool: ProcessPool) -> None:
    pool.submit(a_long_task(1))
    pool.submit(a_task(2))
    await_true(lambda: pool.progress().get(1, 0) > 5)
    assert list(pool.progress()) == [1]
    process = process_of(pool)

    pool.discard(1)

    assert list(outcomes(pool, 1)) == [2]
    assert process_of(pool) == process


def test_a_discarded_task_that_does_not_stop_has_its_process_killed(pool: ProcessPool) -> None:
    pool.submit(a_long_task(1))
    await_true(lambda: pool.progress().get(1, 0) > 0)
    stopped = process_of(pool)
    os.kill(stopped, signal.SIGSTOP)

    pool.discard(1)
    pool.submit(a_task(2))

    assert outcomes(pool, 1)[2].error is None
    assert process_of(pool) != stopped


def test_tasks_beyond_the_processes_room_wait_and_can_be_discarded(pool: ProcessPool) -> None:
    for ticket in (1, 2):
        pool.submit(a_long_task(ticket))
    pool.submit(a_task(3))
    pool.submit(a_task(4))
    for ticket in (3, 1, 2):
        pool.discard(ticket)

    assert list(outcomes(pool, 1)) == [4]


def test_a_chunk_whose_process_was_killed_is_given_back_and_computed_again(
    pool: ProcessPool,
) -> None:
    world = World(processes=pool)
    job = world.submit(a_long_problem(), chunks=1)
    world.step()
    await_true(lambda: len(pool.progress()) > 0)

    os.kill(process_of(pool), signal.SIGKILL)

    await_true(lambda: "worker.chunk_failed" in actions(world.step()))
    world.clock.advance(3)  # more than the first pause, less than the lease
    await_true(lambda: world.step() is not None and len(pool.progress()) > 0)
    world.ledger.fail(job.id, job.attempt, JobError("x", "y"), now=world.clock.now())
    world.clock.advance(7)
    world.step()
    assert world.left() == (0, 0)
    await_true(
        lambda: computes(pool)
    )  # a process that does not stop in time is killed, and replaced


def test_the_installation_computes() -> None:
    assert "'minimum' gave the known answer" in smoke(RUNNERS)


def test_a_problem_that_cannot_be_handed_over_fails_on_this_machine_and_ends_nothing(
    pool: ProcessPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    other = a_problem(6)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        pool.submit(a_task(1, other))
        found = outcomes(pool, 1)[1]
    assert found.code == MACHINE_FAILED
    assert "No space left on device" in (found.error or "")

    pool.submit(a_task(2, other))
    assert best_of(outcomes(pool, 1)[2]) == true_minimum(other)


def test_a_process_that_cannot_be_replaced_fails_its_tasks_until_it_can(
    pool: ProcessPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.kill(process_of(pool), signal.SIGKILL)
    await_true(lambda: pool._processes[0]._executor._broken is not False)

    def refused(self: ComputeProcess) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(ComputeProcess, "_open", refused)
        pool.submit(a_task(1))
        found = outcomes(pool, 1)[1]
    assert found.code == MACHINE_FAILED
    assert "Too many open files" in (found.error or "")

    pool.submit(a_task(2))
    assert outcomes(pool, 1)[2].error is None


def test_the_self_test_passes_on_each_process() -> None:
    with ProcessPool(2, runners=RUNNERS) as pool:
        test = SelfTest(pool, [known_task("minimum")], cores=2, check=lambda: "")
        test.begin(time.monotonic())
        flaws: list[str] = []

        def ended() -> bool:
            pool.wait(0.05)
            assert all(test.take(outcome) for outcome in pool.finished())
            flaw = test.result(time.monotonic())
            flaws.extend([] if flaw is None else [flaw])
            return bool(flaws)

        await_true(ended)
    assert flaws == [""]
