"""The grid kinds as the engine asks them: which reports fit, which agree, how jobs end."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.errors import HopelessJob, InvalidMessage, OtherVersion
from gridwell.engine.job import Job, JobError, JobState
from gridwell.engine.kind import Draw, Ended, Flaw, Kind, kind_of
from gridwell.kinds.grid.feasibility import NO_CANDIDATE_POINT
from gridwell.kinds.grid.job_view import grid_view, register_of
from gridwell.kinds.grid.map_kind import MAP
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.minimum_kind import MINIMUM
from gridwell.kinds.grid.potential import potential
from gridwell.kinds.grid.series import Series
from gridwell.kinds.grid.series_kind import SERIES
from gridwell.kinds.grid.work import work_of
from gridwell.kinds.registry import KINDS
from tests.harness.builders import a_job, a_problem, a_result, a_series, of_version
from tests.harness.oracle import true_minimum, true_series
from web_tier.jobs.new_job import build_new_job

if TYPE_CHECKING:
    from gridwell.engine.messages import ResultMessage
    from gridwell.kinds.grid.problem import Problem

PROBLEM = a_problem()
BEST = true_minimum(PROBLEM)
OF_SERIES = a_problem(series=Series(3, 1.0))
DRAW = Draw(seed=7, most=100)


def merged(problem: Problem, *points: Minimum, kind: str = "minimum") -> Job:
    job = a_job(problem, kind=kind if problem.series is None else "series")
    best = register_of(*points, series=problem.series is not None) if points else None
    done = frozenset(range(job.tasks))
    return replace(job, state=JobState.RUNNING, done=done, best=best)


def spec_of(problem: Problem) -> bytes:
    return work_of(problem).encode()


def test_the_registry_names_each_kind_by_its_own_name() -> None:
    assert {name: kind.name for name, kind in KINDS.items()} == {name: name for name in KINDS}
    assert set(KINDS) >= {"minimum", "series", "map"}


def test_a_job_of_another_kind_is_another_releases() -> None:
    with pytest.raises(OtherVersion, match="of kind 'sleepy', which this release has not"):
        kind_of(KINDS, a_job(kind="sleepy"))


RESULT = a_result(a_job(PROBLEM), 0, BEST)
OF_A_SERIES = a_series(a_job(OF_SERIES), *true_series(OF_SERIES))
ODD_SERIES = replace(OF_A_SERIES, payload=(*(OF_A_SERIES.payload or ()), "y"))


@pytest.mark.parametrize(
    ("kind", "problem", "report", "why"),
    [
        (MINIMUM, PROBLEM, RESULT, None),
        (MINIMUM, PROBLEM, replace(RESULT, best=None), None),
        (MINIMUM, PROBLEM, replace(RESULT, digest="d" * 64), "digest"),
        (MINIMUM, PROBLEM, replace(RESULT, best="x"), "is not the key of a minimum"),
        (MINIMUM, PROBLEM, replace(RESULT, best="f" * 32), "is not the key of a minimum"),
        (MINIMUM, PROBLEM, replace(RESULT, best=Minimum(0.0, 64).key()), "the grid has 64"),
        (MINIMUM, PROBLEM, OF_A_SERIES, "of one kind"),
        (SERIES, OF_SERIES, OF_A_SERIES, None),
        (SERIES, OF_SERIES, replace(OF_A_SERIES, best=None, payload=()), None),
        (SERIES, OF_SERIES, RESULT, "of one kind"),
        (SERIES, OF_SERIES, ODD_SERIES, "'y'"),
        (MAP, PROBLEM, replace(RESULT, digest="d" * 64), None),
        (MAP, PROBLEM, RESULT, "without the digest of its map"),
    ],
)
def test_a_report_fits_a_job_of_its_kind_alone(
    kind: Kind, problem: Problem, report: ResultMessage, why: str | None
) -> None:
    found = kind.misfit(a_job(problem, kind=kind.name), report)

    assert (found is None) if why is None else (found is not None and why in found)


def test_a_true_minimum_ends_its_job_with_record_and_answer() -> None:
    assert BEST is not None

    end = MINIMUM.end(merged(PROBLEM, BEST), spec_of(PROBLEM), DRAW)

    assert isinstance(end, Ended)
    assert end.best.key == BEST.key()
    assert json.loads(end.record)["Result"]["minimum"] == BEST.value
    work = work_of(PROBLEM)
    assert work.known is not None
    assert end.answer is not None
    assert work.known(end.answer) == end


def test_a_series_ends_with_all_of_its_points() -> None:
    points = true_series(OF_SERIES)

    end = SERIES.end(merged(OF_SERIES, *points), spec_of(OF_SERIES), DRAW)

    assert isinstance(end, Ended)
    assert end.best.payload == tuple(point.key() for point in points)


def test_a_lesser_point_that_was_overlooked_names_its_task() -> None:
    assert BEST is not None
    job = merged(PROBLEM, Minimum(BEST.value + 1.0, (BEST.index + 1) % 64))
    other = next(
        Minimum(value, index)
        for index in range(64)
        if index != BEST.index
        and (value := _value(PROBLEM, index)) is not None
        and value > BEST.value
    )

    flaw = MINIMUM.end(merged(PROBLEM, other), spec_of(PROBLEM), DRAW)
    lie = MINIMUM.end(job, spec_of(PROBLEM), DRAW)

    view = grid_view(job)
    assert isinstance(flaw, Flaw)
    assert flaw.task is not None
    box = view.chunking.box(flaw.task)
    assert isinstance(lie, Flaw)
    assert lie.task is None
    lower = [index for index in range(64) if (v := _value(PROBLEM, index)) and v < other.value]
    assert any(
        all(
            low <= at < high
            for low, at, high in zip(box.low, view.grid.triple(index), box.high, strict=True)
        )
        for index in lower
    )


def _value(problem: Problem, index: int) -> float | None:
    return potential(problem.grid, problem.atoms, index)


def test_a_grid_without_a_candidate_fails_its_job_and_is_refused_before() -> None:
    none = a_problem(min_distance=1e3)

    end = MINIMUM.end(merged(none), spec_of(none), DRAW)
    refusal = work_of(none).refusal()

    assert isinstance(end, JobError)
    assert end.code == NO_CANDIDATE_POINT
    assert isinstance(refusal, HopelessJob)
    assert (refusal.code, refusal.faults[0].detail) == (end.code, end.detail)


def test_a_spec_of_another_release_or_a_damaged_one_ends_nothing() -> None:
    job, spec = merged(PROBLEM), spec_of(PROBLEM)
    MINIMUM.check_spec(job, spec)

    for bad, error in ((of_version(spec, "format", 9), OtherVersion), (b"no", InvalidMessage)):
        with pytest.raises(error):
            MINIMUM.check_spec(job, bad)
        with pytest.raises(error):
            MINIMUM.end(job, bad, DRAW)


@pytest.mark.parametrize("kind", ["minimum", "map"])
def test_only_work_that_wants_the_points_alone_may_end_with_a_known_answer(kind: str) -> None:
    assert (work_of(PROBLEM, kind=kind).known is None) is (kind == "map")


def test_a_known_answer_that_is_wrong_or_damaged_ends_nothing() -> None:
    assert BEST is not None
    end = MINIMUM.end(merged(PROBLEM, BEST), spec_of(PROBLEM), DRAW)
    work = work_of(PROBLEM)
    assert isinstance(end, Ended)
    assert end.answer is not None
    assert work.known is not None

    wrong = end.answer.replace(BEST.key().encode(), Minimum(-1e9, 0).key().encode())

    assert [work.known(data) for data in (wrong, b"{}", b"", end.answer[:-1])] == [None] * 4


@given(st.sampled_from(["minimum", "map"]), st.integers(0, 2**53 - 1))
def test_work_and_its_job_say_the_same(kind: str, seed: int) -> None:
    work = work_of(PROBLEM, kind=kind, seed=seed)

    job = build_new_job(work, "a" * 16, "public", None, 0.0)

    assert (job.kind, job.spec, job.tasks) == (work.kind, work.sha, work.tasks)
    assert grid_view(job).chunking.sha == work.plan
    assert grid_view(job).seed == seed
    assert KINDS[kind].seconds(job) == work.seconds
