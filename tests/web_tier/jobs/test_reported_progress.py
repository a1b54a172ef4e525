"""A series that is shown with how far its worker says it is, in JSON and on its page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gridwell.adapters.memory import MemoryLedger
from gridwell.engine.blocks import TaskCounts
from gridwell.engine.errors import ServiceBusy
from gridwell.engine.job import JobState
from gridwell.engine.task_set import TaskSet
from gridwell.kinds.grid.series import Series
from gridwell.kinds.registry import KINDS
from tests.harness.builders import NOW, OTHER_ATTEMPT, a_job, a_problem
from tests.harness.web_http import SMALL, Site
from web_tier.api.present import task_progress
from web_tier.jobs.reported_progress import with_counts, with_progress

IONS = SMALL | {"place": {"count": 3, "energy": 1, "min_separation": 1}}
SERIES = a_job(replace(a_problem(), series=Series(6, 5.0, 1)))


def shown(site: Site, job_id: str) -> dict[str, Any]:
    body: dict[str, Any] = site.client.get(f"/v1/jobs/{job_id}").json or {}
    return body


def test_a_series_is_running_with_as_many_points_as_its_worker_told_of() -> None:
    site = Site()
    job = site.stored(site.post(IONS))
    before = shown(site, job.id)
    site.world.ledger.report_progress(job.id, job.attempt, 2, now=NOW)

    for body in (shown(site, job.id), site.post(IONS).json, site.client.get("/v1/jobs").json):
        assert body is not None
        told = body.get("jobs", [body])[0]
        assert (told["state"], told["series"]["found"]) == ("running", 2)
        assert told["progress"]["points_done"] == 0
    assert (before["state"], before["series"]["found"]) == ("queued", 0)
    assert site.world.job(job).state is JobState.QUEUED


def test_what_was_told_of_another_attempt_is_not_shown() -> None:
    site = Site()
    job = site.stored(site.post(IONS))
    site.world.ledger.report_progress(job.id, OTHER_ATTEMPT, 2, now=NOW)

    assert shown(site, job.id)["series"]["found"] == 0


def test_a_series_that_ended_is_as_long_as_its_points_whatever_was_told() -> None:
    site = Site()
    job = site.done(IONS)
    site.world.ledger.report_progress(job.id, job.attempt, 2, now=NOW)

    assert shown(site, job.id)["series"]["found"] == 3


@pytest.mark.parametrize(
    ("series", "words"),
    [({"place": IONS["place"]}, "ion {} of 3"), ({"top": 3, "min_separation": 1}, "point {} of 3")],
)
def test_the_page_counts_the_points_of_a_series(series: dict[str, Any], words: str) -> None:
    site = Site()
    job = site.stored(site.post(SMALL | series))
    first = site.client.get(f"/jobs/{job.id}").text
    site.world.ledger.report_progress(job.id, job.attempt, 2, now=NOW)
    third = site.client.get(f"/jobs/{job.id}").text
    site.finish(job)
    ended = site.client.get(f"/jobs/{job.id}").text

    assert f'id="counts">{words.format(1)}<' in first
    assert f'id="counts">{words.format(3)}<' in third
    assert 'max="3" value="2"' in third
    assert f'id="counts">3 of 3 {words.split(maxsplit=1)[0]}s<' in ended
    assert 'max="3" value="3"' in ended


def test_how_far_a_series_is_may_be_unknown_without_harm(caplog: pytest.LogCaptureFixture) -> None:
    class Away(MemoryLedger):
        def read_progress(self, attempts: Any) -> dict[str, int]:
            raise ServiceBusy(f"throttled {attempts}")

    assert with_progress(Away(), [SERIES], KINDS) == [SERIES]
    assert "reported progress of 1 jobs cannot be read: throttled" in caplog.text


def test_only_unfinished_series_are_asked_for() -> None:
    class Closed(MemoryLedger):
        def read_progress(self, attempts: Any) -> dict[str, int]:
            raise AssertionError(attempts)

    jobs = [a_job(), replace(SERIES, state=JobState.CANCELLED)]

    assert with_progress(Closed(), jobs, KINDS) == jobs


def test_an_unfinished_job_of_blocks_is_shown_with_its_counts() -> None:
    ledger = MemoryLedger()
    job = replace(a_job(), tasks=1500, block=1000)
    assert job.blocks is not None
    done, failed = TaskSet.span(990, 1010), TaskSet.span(0, 3)
    ledger.settle(job.id, job.attempt, job.blocks, done, failed, expires=NOW)

    counted = with_counts(ledger, job)

    assert counted.counts == TaskCounts(total=1500, done=20, failed=3)
    assert task_progress(counted).model_dump() == {
        "tasks_done": 20,
        "tasks_failed": 3,
        "tasks_total": 1500,
    }


def test_a_job_without_blocks_or_with_an_end_is_not_counted_again() -> None:
    ledger = MemoryLedger()
    ended = replace(a_job(), tasks=1500, block=1000, state=JobState.CANCELLED)

    assert with_counts(ledger, a_job()).counts is None
    assert with_counts(ledger, ended).counts is None


def test_blocks_that_cannot_be_read_leave_the_job_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(*_: Any) -> Any:
        raise ServiceBusy("throttled")

    ledger = MemoryLedger()
    monkeypatch.setattr(ledger, "read_blocks", away)
    job = replace(a_job(), tasks=1500, block=1000, full=frozenset({1}))

    assert with_counts(ledger, job) == job
    assert task_progress(job).tasks_done == 500
