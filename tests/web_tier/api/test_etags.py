"""What a client may keep of an answer, and that it is not sent again what it has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gridwell.access.keys import Scope
from gridwell.engine.job import JobError
from tests.harness.web_http import SMALL, Site, a_service, problem_of
from tests.harness.web_keys import Keyed
from tests.web_tier.api.test_jobs import assert_problem, body_of, finish_when_awaited
from tests.web_tier.kinds.grid.test_points import IONS, TOP
from web_tier.api.etags import ASK_AGAIN
from web_tier.jobs.cached_jobs import encode_final, final_key

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

MAP: dict[str, Any] = SMALL | {"keep_grid": True}
#: What can be read of a done job, by what was submitted.
READ = [
    (SMALL, ""),
    (SMALL, "/result"),
    (SMALL, "/result?top=1"),
    (SMALL, "/atoms"),
    (SMALL, "/atoms?format=csv"),
    (SMALL, "/record"),
    (SMALL, "/points.csv"),
    (TOP, "/points.csv"),
    (IONS, "/ions.pdb"),
    (MAP, "/points.csv"),
    (MAP, "/grid.dx"),
    (MAP, "/grid.cube"),
    (MAP, "/grid.npz"),
]
OF_ALL = ["/v1/jobs", "/v1/jobs?limit=5", "/v1/fleet"]


def get(site: Site, path: str, **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return site.client.get(path, headers=named)


def assert_is_known(again: TestResponse, first: TestResponse) -> None:
    """It is the answer that the client has, with all that a cache must hear."""
    assert (again.status_code, again.data) == (304, b"")
    for name in ("ETag", "Vary", "Cache-Control"):
        assert again.headers[name] == first.headers[name]
    assert "Content-Type" not in again.headers
    assert "Content-Length" not in again.headers


@pytest.mark.parametrize(("body", "part"), READ)
def test_what_a_client_has_of_a_done_job_is_not_sent_again(body: dict[str, Any], part: str) -> None:
    site = Site()
    path = f"/v1/jobs/{site.done(body).id}{part}"
    first = get(site, path)
    etag = first.headers["ETag"]

    assert first.status_code == 200
    for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        assert_is_known(get(site, path, If_None_Match=known), first)
    head = site.client.head(path, headers={"If-None-Match": etag})
    assert head.status_code == 304
    for other in ('"other"', "nonsense", ""):
        assert get(site, path, If_None_Match=other).data == first.data


@pytest.mark.parametrize("path", OF_ALL)
def test_lists_and_the_fleet_are_not_sent_again_either(path: str) -> None:
    site = Site()
    site.done()
    first = get(site, path)

    assert first.headers["Cache-Control"] == ASK_AGAIN
    assert_is_known(get(site, path, If_None_Match=first.headers["ETag"]), first)


def test_no_two_answers_have_one_etag() -> None:
    site = Site()
    answers = [
        get(site, f"/v1/jobs/{site.done(body).id}{part}")
        for body, part in READ
        if part != "/result?top=1"  # the same as without
    ]

    assert len({answer.headers["ETag"] for answer in answers}) == len(answers)


@pytest.mark.parametrize(("body", "part"), READ)
def test_what_is_shown_of_a_done_job_may_be_kept_until_it_expires(
    body: dict[str, Any], part: str
) -> None:
    site = Site()
    job = site.done(body)
    path = f"/v1/jobs/{job.id}{part}"
    if part.startswith("/atoms"):  # they are the id's for ever
        assert "immutable" in get(site, path).headers["Cache-Control"]
        return
    assert get(site, path).headers["Cache-Control"] == "private, max-age=3600"
    assert job.expires is not None

    site.world.clock.advance(job.expires - 90.0 - site.world.clock.now())
    late = get(site, path).headers["Cache-Control"]
    site.world.clock.advance(90.0)
    last = get(site, path).headers["Cache-Control"]

    assert (late, last) == ("private, max-age=90", ASK_AGAIN)


def test_a_running_job_is_asked_for_each_time_and_each_step_has_an_etag() -> None:
    site = Site()
    job = site.stored(site.post(SMALL))
    path = f"/v1/jobs/{job.id}"
    queued = get(site, path)
    assert queued.headers["Cache-Control"] == ASK_AGAIN
    again = get(site, path, If_None_Match=queued.headers["ETag"])
    assert_is_known(again, queued)
    assert again.headers["Retry-After"] == "1"

    site.finish(job)

    done = get(site, path, If_None_Match=queued.headers["ETag"])
    assert (done.status_code, body_of(done)["state"]) == (200, "done")


@pytest.mark.parametrize("failed", [True, False])
def test_a_job_that_may_begin_anew_is_asked_for_each_time(*, failed: bool) -> None:
    site = Site()
    job = site.stored(site.post(SMALL))
    if failed:
        site.world.finisher().fail(job, JobError("deadline_exceeded", "too late"))
    else:
        site.client.delete(f"/v1/jobs/{job.id}")
    path = f"/v1/jobs/{job.id}"
    ended = get(site, path)
    assert ended.headers["Cache-Control"] == ASK_AGAIN

    site.post(SMALL)

    renewed = get(site, path, If_None_Match=ended.headers["ETag"])
    assert (renewed.status_code, body_of(renewed)["run"]) == (200, 2)


def test_a_map_of_another_attempt_is_another_file() -> None:
    site = Site()
    job = site.done(MAP)
    path = f"/v1/jobs/{job.id}/grid.npz"
    etag = get(site, path).headers["ETag"]

    other = replace(job, attempt="f" * 16)
    problem = problem_of(a_service(site.world), job)
    assert problem is not None
    site.world.keep_map(other, problem)
    site.world.values.set(final_key(job.id), encode_final(other), seconds=60)

    again = get(site, path, If_None_Match=etag)
    assert again.status_code == 200
    assert again.headers["ETag"] != etag


# --- while waiting


def test_who_waits_with_an_etag_is_told_of_the_end() -> None:
    site = Site()
    job = site.stored(site.post(SMALL))
    path = f"/v1/jobs/{job.id}"
    etag = get(site, path).headers["ETag"]
    thread = finish_when_awaited(site)

    ended = get(site, path, If_None_Match=etag, Prefer="wait=10")

    thread.join()
    assert (ended.status_code, body_of(ended)["state"]) == (200, "done")
    assert ended.headers["Preference-Applied"] == "wait=10"
    site.watcher.close()


def test_who_waits_in_vain_has_what_there_is() -> None:
    site = Site()
    path = f"/v1/jobs/{site.stored(site.post(SMALL)).id}"
    first = get(site, path)

    again = get(site, path, If_None_Match=first.headers["ETag"], Prefer="wait=0")

    assert_is_known(again, first)
    assert again.headers["Preference-Applied"] == "wait=0"
    assert again.headers["Retry-After"] == "1"


# --- what no condition changes


@pytest.mark.parametrize("part", sorted({part for _, part in READ}))
def test_no_etag_shows_that_there_is_a_job_of_somebody_else(part: str) -> None:
    keyed = Keyed()
    alice, bob = keyed.key("alice"), keyed.key("bob", frozenset({Scope.ADMIN}))
    job = keyed.job(alice, done=True)
    path = f"/v1/jobs/{job.id}{part}"
    etag = keyed.ask("GET", path, alice).headers.get("ETag", '"x"')

    for known in (etag, "*"):
        for key, status in ((bob, 404), (None, 401)):
            answer = keyed.ask("GET", path, key, headers={"If-None-Match": known})
            assert answer.status_code == status
            assert "ETag" not in answer.headers


def test_what_is_kept_is_private_and_another_callers_answer_is_another() -> None:
    keyed = Keyed()
    alice = keyed.key("alice")
    job = keyed.job(alice, done=True)

    for body_part in ("", "/result", "/atoms", "/record", "/points.csv"):
        answer = keyed.ask("GET", f"/v1/jobs/{job.id}{body_part}", alice)
        assert answer.headers["Cache-Control"].startswith("private, ")
        assert {"authorization", "cookie"} <= {name.lower() for name in answer.vary}


@pytest.mark.parametrize(("body", "part"), READ)
def test_a_wish_for_another_version_is_refused_as_a_problem(
    body: dict[str, Any], part: str
) -> None:
    site = Site()
    path = f"/v1/jobs/{site.done(body).id}{part}"
    etag = get(site, path).headers["ETag"]

    refused = get(site, path, If_Match='"other"')

    assert_problem(refused, 412, "precondition_failed")
    assert refused.headers["ETag"] == etag
    assert get(site, path, If_Match=etag).status_code == 200


def test_errors_and_submissions_have_no_etag_and_are_not_kept() -> None:
    site = Site()
    job = site.stored(site.post(SMALL))
    answers = [
        site.post(SMALL),
        get(site, f"/v1/jobs/{job.id}/record"),
        get(site, f"/v1/jobs/{'0' * 32}", If_None_Match="*"),
        site.client.delete(f"/v1/jobs/{job.id}"),
    ]

    assert [answer.status_code for answer in answers] == [202, 409, 404, 204]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ETag" not in answer.headers
