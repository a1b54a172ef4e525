"""A cancelled job ends for everybody who waits for it, and only if it had not ended."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gridwell.engine.errors import ServiceBusy
from gridwell.engine.job import CHUNK_FAILED, Job, JobError, JobState
from gridwell.kinds.grid.minimum import Minimum
from tests.harness.builders import NOW, OTHER_ATTEMPT, a_job, a_problem, a_result
from tests.harness.waiting import await_true
from tests.harness.web import Fuse, World
from tests.harness.web_http import SMALL, Site, a_service
from tests.web_tier.api.test_jobs import MISSING, assert_problem
from web_tier.jobs.cached_jobs import decode_final, final_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse


def submitted(site: Site) -> Job:
    return site.stored(site.post(SMALL))


def delete(site: Site, job: str) -> TestResponse:
    return site.client.delete(f"/v1/jobs/{job}")


def test_a_queued_job_is_cancelled_and_shown_so() -> None:
    site = Site()
    job = submitted(site)

    response = delete(site, job.id)

    assert (response.status_code, response.data) == (204, b"")
    body = site.client.get(f"/v1/jobs/{job.id}").json
    assert body is not None
    assert (body["state"], body["error"], body["result"]) == ("cancelled", None, None)
    assert body["finished"] is not None


def test_a_running_job_is_cancelled_and_its_late_results_are_dropped() -> None:
    site = Site()
    job = site.stored(site.post({"grid_size": 40, "atom_count": 3}))
    site.world.ledger.merge(job.id, job.attempt, frozenset({0}), None, worker="w", now=NOW)
    assert delete(site, job.id).status_code == 204
    cancelled = site.world.job(job)
    site.world.results.send([a_result(job, 1, Minimum(-1.0, 0)).encode()])

    collected = site.world.collector().step()

    assert (collected.late, collected.merged) == (1, 0)
    assert site.world.job(job) == cancelled
    assert site.world.left(site.world.results) == 0


def test_cancelling_twice_says_the_same() -> None:
    site = Site()
    job = submitted(site)

    assert [delete(site, job.id).status_code for _ in range(2)] == [204, 204]


def test_a_done_job_cannot_be_cancelled_and_stays_done() -> None:
    site = Site()
    job = site.done()

    body = assert_problem(delete(site, job.id), 409, "already_ended")

    assert f"job {job.id} is done already" in body["detail"]
    assert site.world.job(job) == job


def test_a_failed_job_cannot_be_cancelled() -> None:
    site = Site()
    job = submitted(site)
    site.world.finisher().fail(job, JobError(CHUNK_FAILED, "it broke"))

    assert (
        "is failed already" in assert_problem(delete(site, job.id), 409, "already_ended")["detail"]
    )


@pytest.mark.parametrize("job", [MISSING, "short", "%00"])
def test_what_is_no_job_cannot_be_cancelled(job: str) -> None:
    assert_problem(delete(Site(), job), 404, "no_such_job")


def test_somebody_elses_job_is_not_found_and_goes_on() -> None:
    site = Site()
    job = site.world.submit(client="another")

    assert_problem(delete(site, job.id), 404, "no_such_job")
    assert site.world.job(job) == job


def test_an_expired_job_is_not_found() -> None:
    site = Site()
    job = site.world.submit(state=JobState.CANCELLED, expires=NOW - 1)

    assert_problem(delete(site, job.id), 404, "no_such_job")


def test_whoever_waits_is_answered_at_once() -> None:
    site = Site()
    job = submitted(site)

    def cancel() -> None:
        await_true(lambda: len(site.watcher._watch), pause=0.001)
        a_service(site.world).cancel(job.id)

    thread = threading.Thread(target=cancel)
    thread.start()
    response = site.post(SMALL, Prefer="wait=30")
    thread.join()
    site.watcher.close()

    assert response.json is not None
    assert (response.status_code, response.json["state"]) == (200, "cancelled")
    assert response.headers["Preference-Applied"] == "wait=30"


def test_the_cache_knows_it_only_after_the_ledger() -> None:
    world = World()
    job = world.submit()
    fuse = Fuse()
    seen: list[bytes | None] = []
    fuse.on_call = lambda: seen.append(
        world.values.get_many([final_key(job.id)]).get(final_key(job.id))
    )

    a_service(world, fuse).cancel(job.id)

    assert seen == [None] * 3  # before the read, the write and the read
    final = decode_final(world.values.get_many([final_key(job.id)])[final_key(job.id)], job.id)
    assert final == replace(world.job(job), sent_at=None)
    assert final.state is JobState.CANCELLED


def test_the_same_problem_again_begins_a_new_attempt() -> None:
    site = Site()
    job = submitted(site)
    delete(site, job.id)

    response = site.post(SMALL)

    again = site.stored(response)
    assert response.status_code == 202
    assert (again.state, again.run) == (JobState.QUEUED, 2)
    assert again.attempt != job.attempt
    site.finish(again)
    assert site.world.job(again).state is JobState.DONE


@pytest.mark.parametrize("call", range(3))
@pytest.mark.parametrize("after", [False, True])
def test_a_busy_ledger_asks_to_try_again_and_the_next_request_cancels(
    call: int, *, after: bool
) -> None:
    world = World()
    job = world.submit()
    with pytest.raises(ServiceBusy):
        a_service(world, Fuse(breaks_at=call, after=after)).cancel(job.id)

    cancelled = a_service(world).cancel(job.id)

    assert cancelled is not None
    assert cancelled.state is JobState.CANCELLED


def test_a_job_that_ends_or_renews_meanwhile_is_looked_at_again() -> None:
    def ends(world: World, job: Job) -> None:
        world.ledger.fail(job.id, job.attempt, JobError("x", "y"), now=NOW)

    def renews(world: World, job: Job) -> None:
        ends(world, job)
        again = a_job(a_problem(), attempt=OTHER_ATTEMPT, run=2)
        assert world.ledger.create(again, replaces=world.job(job))

    cases: list[tuple[Callable[[World, Job], None], JobState]]
    cases = [(ends, JobState.FAILED), (renews, JobState.CANCELLED)]
    for change, expected in cases:
        world = World()
        job = world.submit(a_problem())
        calls = 0

        def between(
            change: Callable[[World, Job], None] = change, world: World = world, job: Job = job
        ) -> None:
            nonlocal calls
            calls += 1
            if calls == 2:  # after the read, before the write
                change(world, job)

        found = a_service(world, Fuse(on_call=between)).cancel(job.id)

        assert found is not None
        assert found.state is expected


def test_a_done_job_whose_answer_comes_first_is_told_as_done() -> None:
    world = World()
    job = world.submit(a_problem())
    world.answer(job, a_problem())
    calls = 0

    def finish() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            world.collector().step()

    found = a_service(world, Fuse(on_call=finish)).cancel(job.id)

    assert found is not None
    assert found.state is JobState.DONE
