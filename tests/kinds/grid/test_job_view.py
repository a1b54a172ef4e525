"""The grid kinds' view of a job says what the job was made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gridwell.engine.errors import InvalidMessage
from gridwell.engine.job import JobState
from gridwell.kinds.grid.job_view import grid_view, register_of
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.series import Series
from tests.harness.builders import a_job, a_problem

LEAST = Minimum(-2.0, 7)
NEXT = Minimum(-1.0, 3)


def test_a_view_has_the_grid_options_and_cuts_of_its_job() -> None:
    problem = a_problem(min_distance=0.5, softening=0.25, series=Series(3, 1.0))
    job = a_job(problem, seed=9)

    view = grid_view(job)

    assert (view.grid, view.atom_count, view.seed) == (problem.grid, problem.atoms.count, 9)
    assert (view.min_distance, view.softening) == (0.5, 0.25)
    assert view.series == Series(3, 1.0)
    assert view.chunking.chunks == 1


def test_points_done_are_those_of_the_boxes_of_merged_tasks() -> None:
    job = a_job(a_problem(4), chunks=4, done=frozenset({0, 2}))

    assert grid_view(job).points_done == 2 * 4 * 4 * 4 // 4


def test_the_answer_of_a_series_is_its_points_and_else_the_least() -> None:
    one = a_job(state=JobState.DONE, result=register_of(LEAST))
    problem = a_problem(series=Series(3, 1.0))
    several = a_job(problem, state=JobState.DONE, result=register_of(LEAST, NEXT, series=True))
    ended_early = replace(several, result=register_of(LEAST, series=True))

    assert grid_view(a_job()).answer == ()
    assert grid_view(one).answer == (LEAST,)
    assert grid_view(several).answer == (LEAST, NEXT)
    assert grid_view(several).found == 2
    assert grid_view(ended_early).answer == (LEAST,)


def test_the_candidate_of_a_running_job_is_what_its_register_holds() -> None:
    series = a_problem(series=Series(3, 1.0))

    assert grid_view(a_job()).candidate == ()
    assert grid_view(a_job(best=register_of(LEAST))).candidate == (LEAST,)
    best = register_of(LEAST, NEXT, series=True)
    assert grid_view(a_job(series, best=best)).candidate == (LEAST, NEXT)


@pytest.mark.parametrize(
    "detail",
    [
        {},
        {"grid": [[0, 0, 0], [0, 0, 0], [1, 1, 1]]},
        {"grid": [[0, 0, 0], [1, 1, 1]]},
        {"grid": [[0, 0, 0], [1, 1, 1], [4, 4, 5]]},
        {"options": None},
        {"plan": [[0, 4], [0, 4]]},
        {"plan": [[0, 4], [0, 4], [0, 4]]},
        {"series": [0, 0.0, 0]},
    ],
    ids=str,
)
def test_a_job_whose_detail_is_no_grid_is_named(detail: dict[str, Any]) -> None:
    job = a_job()
    damaged = replace(job, detail={**job.detail, **detail} if detail else {})

    with pytest.raises(InvalidMessage, match=f"job {job.id} of kind minimum has no detail"):
        grid_view(damaged)
