"""The collector's loop: collects without pause, reconciles now and then, outlives outages."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gridwell.engine.job import JobState
from gridwell.kinds.grid.minimum import Minimum
from tests.harness.builders import NOW, a_problem, a_register, a_result
from tests.harness.web import Fuse, World
from web_tier.collector.finisher import MAX_REFUSALS
from web_tier.collector.process import log_refusal, run

if TYPE_CHECKING:
    from collections.abc import Callable

PROBLEM = a_problem()


@pytest.fixture
def world() -> World:
    return World()


def until(world: World, seconds: float, step: float = 5) -> Callable[[], bool]:
    """Ask to stop after so long; each time it is asked the clock moves by a step."""

    def stopping() -> bool:
        world.clock.advance(step)
        return world.clock.now() > NOW + seconds

    return stopping


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [getattr(record, "action", "") for record in caplog.records]


def test_results_are_collected_and_their_job_is_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM)

    run(
        world.collector(),
        world.reconciler(),
        clock=world.clock,
        stopping=until(world, 10),
        jitter=lambda: 1.0,
    )

    assert world.job(job).state is JobState.DONE
    assert actions(caplog) == ["job.done"]


def test_the_reconciler_has_its_round_at_once_and_then_every_half_minute(world: World) -> None:
    rounds: list[float] = []
    fuse = Fuse(on_call=lambda: rounds.append(world.clock.now() - NOW))

    run(
        world.collector(),
        world.reconciler(fuse),
        clock=world.clock,
        stopping=until(world, 100),
        jitter=lambda: 1.0,
    )

    assert sorted(set(rounds)) == [5, 35, 65, 95]


def test_the_rounds_are_jittered(world: World) -> None:
    rounds: list[float] = []
    fuse = Fuse(on_call=lambda: rounds.append(world.clock.now() - NOW))

    run(
        world.collector(),
        world.reconciler(fuse),
        clock=world.clock,
        stopping=until(world, 100),
        jitter=lambda: 1.5,
    )

    assert sorted(set(rounds)) == [5, 50, 95]


def test_an_outage_is_waited_out_and_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM)

    run(
        world.collector(Fuse(breaks_at=0)),
        world.reconciler(),
        clock=world.clock,
        stopping=until(world, 20),
        jitter=lambda: 1.0,
    )

    assert actions(caplog) == ["collect.busy", "job.done"]


def test_what_was_refused_postponed_failed_or_reconciled_is_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.submit(a_problem(seed=9))  # nobody sends its chunks
    job = world.submit(PROBLEM, refusals=MAX_REFUSALS)
    lie = [a_result(job, chunk, Minimum(-1e9, 0)).encode() for chunk in range(4)]
    world.results.send(["garbage", *lie])

    run(
        world.collector(Fuse(breaks_at=2)),  # receive, read, merge
        world.reconciler(),
        clock=world.clock,
        stopping=until(world, 90, step=20),
        jitter=lambda: 1.0,
    )

    assert set(actions(caplog)) == {
        "result.refused",
        "result.postponed",
        "job.failed",
        "job.reconciled",
    }


def test_a_sign_of_life_is_left_every_ten_seconds_after_a_step(world: World) -> None:
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM)
    beats: list[tuple[float, int]] = []

    run(
        world.collector(),
        world.reconciler(),
        clock=world.clock,
        stopping=until(world, 31),
        jitter=lambda: 1.0,
        beat=lambda merged: beats.append((world.clock.now() - NOW, merged)),
    )

    assert beats == [(5.0, 4), (15.0, 4), (25.0, 4)]


def test_one_that_cannot_collect_falls_silent(world: World) -> None:
    beats: list[int] = []

    run(
        world.collector(Fuse(breaks_at=0)),
        world.reconciler(),
        clock=world.clock,
        stopping=until(world, 6),
        jitter=lambda: 1.0,
        beat=beats.append,
    )

    assert beats == []


def test_an_answer_proved_wrong_is_one_error_that_names_the_worker(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    job = world.submit(PROBLEM)
    world.ledger.merge(
        job.id,
        job.attempt,
        frozenset(range(4)),
        a_register(Minimum(-1e9, 0)),
        worker="w-9",
        now=NOW,
    )

    replace(world.finisher(), refused=log_refusal).finish(world.job(job))

    (record,) = caplog.records
    assert (record.levelname, actions(caplog)) == ("ERROR", ["answer.refused"])
    assert "what w-9 reported is wrong: -1000000000.0 at point 0" in record.getMessage()


def test_a_flood_of_forged_reports_is_one_line_a_step(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    job = world.submit(PROBLEM)
    world.results.send([a_result(job, 0, None, token="0" * 64).encode() for _ in range(10)])
    counts: list[int] = []

    run(
        world.collector(),
        world.reconciler(),
        clock=world.clock,
        stopping=until(world, 6),
        jitter=lambda: 1.0,
        refused=counts.append,
    )

    assert actions(caplog).count("result.refused") == 1
    assert sum(counts) == 10
    assert "(and 9 more)" in caplog.text
