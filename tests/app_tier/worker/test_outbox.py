"""What a worker tells of the series that it computes."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from app_tier.kinds.grid.runners import MAP, MINIMUM, GridRunner
from gridwell.engine.errors import ServiceDenied
from gridwell.kinds.grid.series import Series
from tests.harness.builders import ATTEMPT, a_problem
from tests.harness.worker import World, actions, busy

SERIES = replace(a_problem(5, atoms=9), series=Series(6, 1.5, 1))


def computing(world: World) -> int:
    """The ticket of the only task, which has begun."""
    world.step()
    world.compute.move()
    (ticket,) = world.compute.tasks
    return ticket


def test_points_are_told_of_as_they_are_found_and_once_a_second_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    job = world.submit(SERIES)
    ticket = computing(world)
    times: list[float] = []
    world.jobs.before["report_progress"] = lambda: times.append(world.clock.monotonic())
    monkeypatch.setattr(world.compute, "wait", lambda _: world.clock.advance(0.25))
    for found in (0, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5, 5):
        world.compute.series[ticket] = found
        world.step()

    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [1.0, 1.0]
    assert [told[2] for told in world.named("jobs.report_progress")] == [2, 3, 5]
    assert world.ledger.read_progress({job.id: ATTEMPT}) == {job.id: 5}


@pytest.mark.parametrize("error", [busy(), ServiceDenied("not yours")])
def test_what_was_not_heard_is_not_said_again_before_the_next_second_and_harms_nothing(
    error: Exception,
) -> None:
    world = World()
    job = world.submit(SERIES)
    ticket = computing(world)
    world.compute.series[ticket] = 2
    world.jobs.failing["report_progress"] = error

    step = world.step(3)

    assert "worker.untold" in actions(step)
    assert len(world.named("jobs.report_progress")) == 1
    del world.jobs.failing["report_progress"]
    world.compute.series[ticket] = 3
    world.step(3)
    assert world.ledger.read_progress({job.id: job.attempt}) == {job.id: 3}
    world.run()
    assert len(world.reports()) == 1


@pytest.mark.parametrize("runner", [MINIMUM, MAP])
def test_a_search_for_one_minimum_reports_no_progress(runner: GridRunner) -> None:
    problem = a_problem(20, atoms=500)
    reported: list[int] = []

    runner.search(problem, problem.grid.box, None, reported.append)

    assert set(reported) == {0}


def test_progress_of_zero_is_not_written_to_the_ledger() -> None:
    world = World()
    world.submit(chunks=1)
    world.compute.series[computing(world)] = 0

    world.step(5)

    assert world.named("jobs.report_progress") == []
