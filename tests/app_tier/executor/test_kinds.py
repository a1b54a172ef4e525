"""Executors run any kind of work that their registry has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app_tier.executor.pool import ProcessPool
from app_tier.executor.smoke import SmokeFailed, smoke
from gridwell.engine.task_failure import PROBLEM_UNREADABLE, PROCESS_DIED, UNSUPPORTED
from tests.harness.echo_kind import ECHO, TEXTS, an_echo
from tests.harness.waiting import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app_tier.executor.port import RunTask, TaskOutcome

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPool]:
    with ProcessPool(1, runners=ECHO) as pool:
        pool.processes()
        yield pool


def ran(pool: ProcessPool, *tasks: RunTask) -> list[TaskOutcome]:
    """Return the outcomes of tasks, by ticket."""
    for task in tasks:
        pool.submit(task)
    found: list[TaskOutcome] = []

    def have_ended() -> bool:
        pool.wait(0.05)
        found.extend(pool.finished())
        return len(found) >= len(tasks)

    await_true(have_ended, pause=0.0)
    return sorted(found, key=lambda outcome: outcome.ticket)


def test_a_runner_is_given_its_spec_task_and_hint(pool: ProcessPool) -> None:
    first, second = ran(pool, an_echo(1, 7, hint="ab"), an_echo(2, 8, detail={"word": "other"}))

    assert (first.best, first.payload) == ("hello 7 ab", ("detail",))
    assert (second.best, second.payload) == ("hello 8 None", ("other",))
    assert first.file is second.file is None


def test_the_file_of_a_task_keeps_its_type_and_content(pool: ProcessPool) -> None:
    (outcome,) = ran(pool, an_echo(1, 5, detail={"file": True}))

    assert outcome.file is not None
    assert outcome.file.type == TEXTS
    assert outcome.file.read() == b"hello 5 None"
    outcome.file.remove()
    assert not list(pool.folder.iterdir())


def test_the_progress_that_a_task_reports_is_shown_until_it_ends(pool: ProcessPool) -> None:
    pool.submit(an_echo(1, detail={"steps": 10**6}))
    await_true(lambda: pool.reported().get(1, 0) >= 2)

    pool.discard(1)

    assert ran(pool, an_echo(2))[0].ticket == 2
    assert not pool.reported()


def test_a_kind_that_is_not_in_the_registry_is_another_releases(pool: ProcessPool) -> None:
    other, own = ran(pool, an_echo(1, kind="later", spec="b" * 64), an_echo(2))

    assert other.code == UNSUPPORTED
    assert other.error == "kind 'later' is none that this release runs: echo"
    assert own.error is None
    assert not list(pool.folder.iterdir())


def test_a_spec_that_cannot_be_loaded_fails_its_task_alone(pool: ProcessPool) -> None:
    bad, own = ran(pool, an_echo(1, spec="c" * 64, data=b"odd"), an_echo(2))

    assert (bad.code, bad.error) == (PROBLEM_UNREADABLE, f"spec {'c' * 64} is damaged")
    assert own.error is None


def test_a_task_that_ends_its_process_takes_no_other_with_it(pool: ProcessPool) -> None:
    dead, own = ran(pool, an_echo(1, detail={"dies": True}), an_echo(2))

    assert dead.code == PROCESS_DIED
    assert own.best == "hello 0 None"


def test_the_smoke_test_compares_each_known_task_with_its_answer() -> None:
    assert smoke(ECHO).startswith("a task of kind 'echo' gave the known answer in ")
    with pytest.raises(SmokeFailed, match="the answer is"):
        smoke("tests.harness.echo_kind:WRONG")
