"""Chunks of several tasks in real compute processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app_tier.executor.pool import ProcessPool
from app_tier.executor.port import RunTask, TaskOutcome, TaskOutput
from gridwell.engine.task_failure import RAISED, UNSUPPORTED
from tests.harness.builders import a_problem
from tests.harness.grid_tasks import RUNNERS, a_run_task
from tests.harness.row_runner import EVEN_RUNNERS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.system

SECONDS = 60.0  #: a deadline, not a duration


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPool]:
    with ProcessPool(1, runners=EVEN_RUNNERS, stuck_seconds=2.0) as pool:
        yield pool


def outcome_of(pool: ProcessPool, task: RunTask) -> TaskOutcome:
    pool.submit(task)
    for _ in range(int(SECONDS / 0.5)):
        if outcomes := pool.finished():
            (outcome,) = outcomes
            return outcome
        pool.wait(0.5)
    raise AssertionError("the task has not ended")


def a_chunk(**changes: Any) -> RunTask:
    fields: dict[str, Any] = {"ticket": 1, "kind": "even", "spec": "a" * 64, "data": b"x"}
    return RunTask(**(fields | {"detail": {}, "task": 3, "count": 4} | changes))


def test_each_task_of_a_chunk_has_a_row_of_its_own(pool: ProcessPool) -> None:
    outcome = outcome_of(pool, a_chunk())

    assert outcome.error is None
    assert outcome.rows is not None
    found = [(row.task, row.exit, row.reason) for row in outcome.rows]
    assert found == [(3, 1, "odd"), (4, 0, ""), (5, 1, "odd"), (6, 0, "")]
    assert sum(row.seconds for row in outcome.rows) <= outcome.seconds


def test_chunk_of_one_task_has_a_row_too(pool: ProcessPool) -> None:
    outcome = outcome_of(pool, a_chunk(ticket=2, task=8, count=1))

    assert outcome.rows is not None
    assert [(row.task, row.exit) for row in outcome.rows] == [(8, 0)]


def test_several_tasks_of_a_kind_without_rows_are_another_releases() -> None:
    with ProcessPool(1, runners=RUNNERS, stuck_seconds=2.0) as pool:
        outcome = outcome_of(pool, a_run_task(1, a_problem(5), count=2))

    assert outcome.code == UNSUPPORTED
    assert "has chunks of one task" in (outcome.error or "")


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (TaskOutput(exit=0, reason="late"), "'late' of task 4"),
        (TaskOutput(exit=1000, reason="late"), "the exit 1000 of task 4"),
        (TaskOutput(best="00"), "task 4 has a row, and gives a value or a file"),
    ],
)
def test_output_that_no_row_can_keep_is_an_error_of_the_runner(
    pool: ProcessPool, output: TaskOutput, text: str
) -> None:
    outcome = outcome_of(pool, a_chunk(ticket=3, detail={"4": output}))

    assert outcome.code == RAISED
    assert text in (outcome.error or "")
