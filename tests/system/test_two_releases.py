"""Two releases side by side: what one cannot do is left to the other, and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app_tier.executor.port import TaskOutcome
from app_tier.worker.step_report import WorkerExit
from gridwell.engine.job import NO_WORKER, Job, JobState
from gridwell.engine.messages import TASKS_VERSION, VERSION
from gridwell.engine.task_failure import UNSUPPORTED
from gridwell.kinds.grid.job_view import grid_view
from tests.harness.builders import a_problem
from tests.harness.oracle import true_minimum
from tests.harness.system import System

if TYPE_CHECKING:
    from app_tier.executor.port import RunTask

PROBLEM = a_problem()
OTHER = a_problem(seed=2)
LATER = (
    f"a message of version {TASKS_VERSION + 1}, this release reads version "
    f"{VERSION} and {TASKS_VERSION}"
)


@pytest.fixture
def system() -> System:
    return System()


def done(system: System, job: Job) -> bool:
    ended = system.world.job(job)
    return ended.state is JobState.DONE and grid_view(ended).result == true_minimum(PROBLEM)


def newer_format(task: RunTask) -> TaskOutcome | None:
    """What an older compute process says of a problem in a later format."""
    text = f"problem {task.spec} is of format 2, this release reads 1: another one is needed"
    return TaskOutcome(ticket=task.ticket, error=text, code=UNSUPPORTED)


# --- workers


def test_messages_of_a_later_version_are_left_to_a_later_worker(system: System) -> None:
    system.newer_web = True
    old = system.machine("old", stays=False)
    system.machine("new", newer=True)
    job = system.submit(PROBLEM)

    system.run(job)

    assert done(system, job)
    assert system.world.job(job).workers == {"new"}
    assert f"a message is given back: {LATER}" in old.said
    assert old.heartbeat.refuses == LATER
    assert not any("dead" in did for did in system.did)


def test_a_worker_that_meets_only_later_messages_goes_home_and_makes_room(system: System) -> None:
    system.newer_web = True
    old = system.machine("old", stays=False)
    job = system.submit(PROBLEM)

    system.pass_time(120)

    assert old.ended is WorkerExit.IDLE
    assert old.heartbeat.draining
    assert not any("dead" in did for did in system.did)
    system.machine("new", newer=True)  # what the autoscaler does next
    system.run(job)
    assert done(system, job)


def test_a_worker_does_what_it_can_beside_what_it_cannot(system: System) -> None:
    system.newer_web = True
    later = system.submit(PROBLEM)
    system.newer_web = False
    own = system.submit(OTHER)
    system.machine("old")

    system.run(own, seconds=200)

    assert system.world.job(own).state is JobState.DONE
    assert not system.world.job(later).state.terminal


def test_a_job_that_no_worker_supports_fails_with_that_reason(system: System) -> None:
    system.newer_web = True
    system.machine("old")
    job = system.submit(PROBLEM)

    system.run(job)

    failed = system.world.job(job)
    assert failed.error is not None
    assert failed.error.code == NO_WORKER
    assert f"worker old says: {LATER}" in failed.error.detail


def test_a_problem_of_a_later_format_is_left_to_a_later_worker(system: System) -> None:
    old = system.machine("old", stays=False, breaks=newer_format)
    system.machine("new")
    job = system.submit(PROBLEM)

    system.run(job)

    assert done(system, job)
    assert system.world.job(job).workers == {"new"}
    assert "is of format 2" in old.heartbeat.refuses


def test_chunks_of_a_problem_once_refused_are_not_tried_again(system: System) -> None:
    tried: list[RunTask] = []

    def refuse(task: RunTask) -> TaskOutcome | None:
        tried.append(task)
        return newer_format(task)

    system.machine("old", breaks=refuse)
    system.submit(PROBLEM)

    system.pass_time(200)

    assert 1 <= len(tried) <= 2  # those in hand when the first one told


def test_a_problem_of_a_later_format_that_no_worker_reads_fails_with_that_reason(
    system: System,
) -> None:
    system.machine("old", breaks=newer_format)
    job = system.submit(PROBLEM)

    system.run(job)

    failed = system.world.job(job)
    assert failed.error is not None
    assert failed.error.code == NO_WORKER
    assert "is of format 2, this release reads 1" in failed.error.detail


# --- the web tier


def test_results_of_a_later_version_are_kept_for_a_later_collector(system: System) -> None:
    system.machine("new", newer=True)
    job = system.submit(PROBLEM)
    system.pass_time(300)
    assert system.world.job(job).done == frozenset()

    system.newer_web = True
    system.run(job)

    assert done(system, job)


def test_results_that_died_unheard_are_heard_by_the_first_collector_that_can(
    system: System,
) -> None:
    system.machine("new", newer=True)
    job = system.submit(PROBLEM)
    system.pass_time(900)
    world = system.world
    assert world.left(world.dead_results) >= job.tasks
    assert world.job(job).done == frozenset()

    system.newer_web = True
    system.run(job, seconds=100)

    assert done(system, job)
    assert world.left(world.dead_results) == 0


def test_a_later_web_tier_reads_what_older_workers_sent(system: System) -> None:
    system.machine("old")
    job = system.submit(PROBLEM)
    system.newer_web = True

    system.run(job)

    assert done(system, job)
