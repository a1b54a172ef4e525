"""Operators see every dead letter with its reason, and send again what they choose."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from gridwell.engine.errors import ServiceBusy, ServiceDenied
from gridwell.engine.job import JobError
from gridwell.engine.task_failure import failure_of
from tests.harness.builders import NOW, a_problem, a_result, an_error
from tests.harness.oracle import true_minimum
from tests.harness.web import World
from tests.web_tier.collector.test_reconciler import bury
from web_tier.cli import main
from web_tier.operator import dead_letter_commands
from web_tier.operator.dead_letter_list import DeadLetterList

if TYPE_CHECKING:
    from click.testing import Result

    from gridwell.engine.job import Job

PROBLEM = a_problem()
BEST = true_minimum(PROBLEM)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    letters = DeadLetterList(
        ledger=world.ledger,
        dead={"chunks": world.dead_chunks, "results": world.dead_results},
        living={"chunks": world.chunks, "results": world.results},
        clock=world.clock,
    )
    monkeypatch.setattr(dead_letter_commands, "chosen_letters", lambda _names: letters)
    return world


@pytest.fixture
def job(world: World) -> Job:
    """A job with a dead chunk, beside a dead result of another and two that nobody can read."""
    job, other = world.submit(PROBLEM), world.submit(a_problem(seed=2))
    bury(world, job, 2)
    world.dead_results.send([a_result(other, 1, BEST).encode()])
    world.dead_chunks.send(["garbage"])
    world.dead_results.send([json.dumps({**json.loads(bare(job)), "version": 3})])
    world.clock.advance(7200)
    return job


def bare(job: Job) -> str:
    return a_result(job, 0, BEST).encode()


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["dead-letters", *arguments])


def listed(*arguments: str) -> list[dict[str, Any]]:
    done = call("list", "--json", *arguments)
    assert done.exit_code == 0
    return [json.loads(line) for line in done.stdout.splitlines()]


def left(world: World) -> list[int]:
    queues = (world.chunks, world.results, world.dead_chunks, world.dead_results)
    return [world.left(queue) for queue in queues]


def test_letters_of_both_queues_are_listed_with_job_chunk_age_and_reason(
    world: World, job: Job
) -> None:
    told = an_error(job, 2, text="disk full", worker="w-7")
    world.ledger.record_failure(failure_of(told, NOW))

    found = {(each["queue"], each["job"], each["chunk"]): each for each in listed()}

    dead = found["dead-chunks", job.id, 2]
    assert dead["why"] == "chunk 2 failed once, last on worker w-7: disk full"
    assert (dead["age_seconds"], dead["receives"]) == (7200, 1)
    assert "is not JSON" in found["dead-chunks", None, None]["why"]
    assert "of version 3" in found["dead-results", job.id, 0]["why"]
    assert len(found) == 4
    assert left(world) == [0, 0, 2, 2]


def test_people_get_a_line_for_each(world: World, job: Job) -> None:
    lines = call("list").stdout.splitlines()

    assert lines[0] == f"dead-chunks   {job.id}  chunk 2        2 h  no worker reported an error"
    assert len(lines) == 4


def test_listing_leaves_the_letters_visible_to_others(world: World, job: Job) -> None:
    assert len(listed()) == len(listed()) == 4
    assert world.dead_chunks.depth().visible == 2


def test_a_letter_of_an_ended_job_says_so(world: World, job: Job) -> None:
    world.ledger.fail(job.id, job.attempt, JobError("x", "y"), now=NOW)

    assert "not wanted: its job is failed" in call("list").stdout


def test_a_limit_says_that_there_may_be_more(world: World, job: Job) -> None:
    done = call("list", "--limit", "3")

    assert len(done.stdout.splitlines()) == 3
    assert "there may be more than 3" in done.stderr
    assert world.dead_chunks.depth().visible == 2


def test_the_letters_of_a_job_are_sent_to_where_they_came_from(world: World, job: Job) -> None:
    done = call("redrive", "--job", job.id)

    assert done.exit_code == 0
    assert done.stdout == "1 dead chunks sent again\n1 dead results sent again\n"
    assert left(world) == [1, 1, 1, 1]
    assert world.queued_chunks() == [2]
    assert world.dead_chunks.depth().visible == 1


def test_all_letters_are_sent_again_those_that_nobody_can_read_too(world: World, job: Job) -> None:
    assert call("redrive", "--all").exit_code == 0

    assert left(world) == [2, 2, 0, 0]
    assert "garbage" in [each.body for each in world.chunks.receive(at_most=10, wait=0)]


@pytest.mark.parametrize("arguments", [[], ["--all", "--job", "0" * 32]])
def test_which_letters_must_be_said(world: World, job: Job, arguments: list[str]) -> None:
    done = call("redrive", *arguments)

    assert done.exit_code == 2
    assert "--job ID or --all" in done.stderr
    assert left(world) == [0, 0, 2, 2]


def test_what_the_queue_refuses_stays_a_dead_letter(
    world: World, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(bodies: list[str], **_: str) -> list[int]:
        return list(range(len(bodies)))

    monkeypatch.setattr(world.chunks, "send", refuse)

    done = call("redrive", "--all")

    assert done.exit_code == 1
    assert "the queue refused 2 letters, which stay" in done.stderr
    assert left(world) == [0, 2, 2, 0]
    assert world.dead_chunks.depth().visible == 2


def test_redrive_is_recorded_before_letters_are_sent(
    world: World, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("redrive", "--all", "--limit", "1").exit_code == 0
    world.clock.advance(1)
    assert call("redrive", "--job", job.id).exit_code == 0

    acts = world.ledger.audit.acts(first_day=0, last_day=10**6)
    assert [(act.action, act.subject, act.detail) for act in acts] == [
        ("dead-letters.redrive", job.id, "chunks=0 results=1"),
        ("dead-letters.redrive", "all", "chunks=1 results=0"),
    ]

    def refuse(*_: object, **__: object) -> None:
        raise ServiceDenied("the table is not yours")

    bury(world, job, 1)
    monkeypatch.setattr(world.ledger.audit, "note", refuse)
    before = left(world)
    assert call("redrive", "--all").exit_code == 3
    assert left(world) == before


@pytest.mark.parametrize("method", ["send", "delete"])
def test_an_outage_in_between_loses_no_letter(
    world: World, job: Job, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise ServiceBusy("throttled")

    queue = world.chunks if method == "send" else world.dead_chunks
    monkeypatch.setattr(queue, method, busy)

    done = call("redrive", "--all")

    assert done.exit_code == 3
    assert "ServiceBusy: throttled" in done.stderr
    assert world.dead_chunks.depth().visible == 2
