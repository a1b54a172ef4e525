"""Submitting, reading, waiting for and listing jobs over HTTP."""

from __future__ import annotations

import gzip
import io
import re
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from gridwell.engine import limits
from gridwell.engine.job import CHUNK_FAILED, KEPT_SECONDS, JobError
from gridwell.engine.ports import Depth
from gridwell.fleet.billing import Bill
from gridwell.fleet.history import History, Sample
from gridwell.fleet.model import Decision, FleetView, InstanceView
from gridwell.fleet.refusal import Refusal
from gridwell.kinds.grid.feasibility import NO_CANDIDATE_DETAIL, NO_CANDIDATE_POINT
from gridwell.kinds.grid.job_view import grid_view
from tests.harness.builders import NOW
from tests.harness.oracle import true_minimum
from tests.harness.waiting import await_true
from tests.harness.web import Fuse
from tests.harness.web_http import SMALL, Site, a_service, narrow_gates, problem_of
from web_tier.dependencies import dependencies_of

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

MISSING = "0123456789abcdef" * 2


def body_of(response: TestResponse) -> dict[str, Any]:
    body = response.json
    assert isinstance(body, dict)
    return body


def assert_problem(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    body = body_of(response)
    assert response.content_type == "application/problem+json"
    assert (response.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["title"]
    assert body["detail"]
    return body


def test_a_new_job_is_accepted_with_its_address() -> None:
    site = Site()

    response = site.post(SMALL)

    body = body_of(response)
    assert response.status_code == 202
    assert response.headers["Location"] == f"/v1/jobs/{body['id']}" == body["links"]["self"]
    assert response.headers["Retry-After"] == "1"
    assert body["state"] == "queued"
    assert body["progress"] == {"points_done": 0, "points_total": 64}
    assert body["chunks"] == {
        "done": 0,
        "total": 1,
        "cuts": [[0, 4]] * 3,
        "finished": [],
    }
    assert (body["atom_count"], body["seed"], body["result"]) == (5, 1, None)
    assert body["grid"] == {"origin": [0, 0, 0], "spacing": [1, 1, 1], "shape": [4, 4, 4]}
    assert body["created"] == "2023-11-14T22:13:20.000Z"
    assert site.world.queued_chunks() == [0]


def test_a_done_job_shows_its_result_to_the_last_bit() -> None:
    site = Site()
    job = site.done()
    problem = problem_of(a_service(site.world), job)
    assert problem is not None
    truth = true_minimum(problem)
    assert truth is not None

    for response in (site.client.get(f"/v1/jobs/{job.id}"), site.post(SMALL)):
        body = body_of(response)
        assert response.status_code == 200
        assert body["state"] == "done"
        assert body["result"] == {
            "minimum": truth.value,
            "index": list(problem.grid.triple(truth.index)),
            "point": list(problem.grid.point(truth.index)),
        }
        assert body["progress"] == {"points_done": 64, "points_total": 64}
        assert body["workers"] == ["worker-1"]
        assert body["finished"] == "2023-11-14T22:13:20.000Z"
        assert "Retry-After" not in response.headers


def test_a_running_job_shows_its_progress() -> None:
    site = Site()
    job = site.stored(site.post({"grid_size": 40, "atom_count": 3}))
    done = frozenset({0, 3})
    site.world.ledger.merge(job.id, job.attempt, done, None, worker="w", now=NOW)

    body = body_of(site.client.get(f"/v1/jobs/{job.id}"))

    assert body["state"] == "running"
    assert body["progress"] == {"points_done": 16_000, "points_total": 64_000}
    assert body["chunks"]["done"] == 2
    assert body["chunks"]["finished"] == [0, 3]
    assert body["chunks"]["cuts"] == grid_view(job).chunking.encode()
    assert body["chunks"]["total"] == 8


def test_own_atoms_have_no_seed() -> None:
    site = Site()

    assert body_of(site.post({"grid_size": 4, "atoms": [[0.5, 0, 0, 1]]}))["seed"] is None


def test_a_repeated_request_joins_the_job() -> None:
    site = Site()
    first, second = site.post(SMALL), site.post(SMALL)

    assert (first.status_code, second.status_code) == (202, 202)
    assert body_of(first) == body_of(second)


def test_a_repeated_done_problem_takes_less_than_50_ms_of_a_core() -> None:
    site = Site()
    request = {"grid_size": 16, "atom_count": 1000, "seed": 3}
    job = site.stored(site.post(request))
    site.world.finisher().fail(job, JobError(NO_CANDIDATE_POINT, "as if", permanent=True))
    seconds = []

    for _ in range(5):
        started = time.thread_time()
        assert site.post(request).status_code == 200
        seconds.append(time.thread_time() - started)

    assert min(seconds) < 0.05


def test_a_job_that_failed_by_itself_is_shown_at_once() -> None:
    site = Site()
    job = site.stored(site.post(SMALL))
    site.world.finisher().fail(
        job, JobError(NO_CANDIDATE_POINT, NO_CANDIDATE_DETAIL, permanent=True)
    )

    response = site.post(SMALL)

    assert response.status_code == 200
    assert body_of(response)["state"] == "failed"
    assert body_of(response)["error"] == {
        "code": NO_CANDIDATE_POINT,
        "detail": NO_CANDIDATE_DETAIL,
    }


def test_no_candidate_is_told_at_the_door_in_the_same_words() -> None:
    site = Site()

    response = site.post({"grid_size": 1, "atoms": [[0, 0, 0, 1]]})

    body = assert_problem(response, 422, NO_CANDIDATE_POINT)
    assert body["detail"] == NO_CANDIDATE_DETAIL
    assert site.world.queued_chunks() == []


def test_a_missing_strange_or_expired_job_is_not_found() -> None:
    site = Site()
    done = site.done()
    site.world.clock.advance(KEPT_SECONDS + 1)

    for job in (MISSING, done.id, "x", "A" * 32, "%00", "\N{SNOWMAN}" * 300):
        assert_problem(site.client.get(f"/v1/jobs/{job}"), 404, "no_such_job")
        assert_problem(site.client.get(f"/v1/jobs/{job}/atoms"), 404, "no_such_job")
        assert_problem(site.client.get(f"/v1/jobs/{job}/record"), 404, "no_such_job")


# --- Prefer: wait


def finish_when_awaited(site: Site) -> threading.Thread:
    """End every unfinished job as soon as a request waits."""

    def end() -> None:
        await_true(lambda: len(site.watcher._watch), pause=0.001)
        for job in site.world.ledger.unfinished():
            stored = site.world.ledger.read(job)
            assert stored is not None
            site.finish(stored)

    thread = threading.Thread(target=end)
    thread.start()
    return thread


def test_a_request_that_waits_gets_the_end() -> None:
    site = Site()
    thread = finish_when_awaited(site)

    response = site.post(SMALL, Prefer="wait=10")

    thread.join()
    assert response.status_code == 200
    assert response.headers["Preference-Applied"] == "wait=10"
    assert body_of(response)["state"] == "done"
    site.watcher.close()


def test_reading_waits_too() -> None:
    site = Site()
    job = body_of(site.post(SMALL))["id"]
    thread = finish_when_awaited(site)

    response = site.client.get(f"/v1/jobs/{job}", headers={"Prefer": "wait=10"})

    thread.join()
    assert response.headers["Preference-Applied"] == "wait=10"
    assert body_of(response)["state"] == "done"
    site.watcher.close()


def test_when_the_time_is_up_the_job_is_still_accepted() -> None:
    site = Site()

    response = site.post(SMALL, Prefer="wait=0")

    assert response.status_code == 202
    assert response.headers["Preference-Applied"] == "wait=0"
    assert response.headers["Retry-After"] == "1"


def test_nobody_waits_where_there_is_no_room_or_the_process_ends() -> None:
    site = Site(capacity=0)

    response = site.post(SMALL, Prefer="wait=30")

    assert response.status_code == 202
    assert "Preference-Applied" not in response.headers
    assert response.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=5", "wait=5"),
        ("WAIT = 5", "wait=5"),
        ('wait="5"', "wait=5"),
        ("respond-async, wait=5", "wait=5"),
        ("wait=5; foo=bar", "wait=5"),
        ("wait=999999", "wait=30"),
        ("wait=-5", None),
        ("wait=soon", None),
        ("wait=1.5", None),
        ("waiter=5", None),
        ("return=minimal", None),
    ],
)
def test_the_wish_to_wait_is_read_capped_or_ignored(prefer: str, applied: str | None) -> None:
    site = Site()
    site.done()

    response = site.post(SMALL, Prefer=prefer)

    assert response.status_code == 200
    assert response.headers.get("Preference-Applied") == applied


# --- lists, the fleet, health


def test_recent_jobs_come_in_pages_the_newest_first() -> None:
    site = Site()
    ids: list[str] = []
    for seed in range(5):
        ids.insert(0, body_of(site.post({**SMALL, "seed": seed}))["id"])
        site.world.clock.advance(1)

    seen, cursor = [], ""
    while True:
        page = body_of(site.client.get(f"/v1/jobs?limit=2&cursor={cursor}"))
        assert len(page["jobs"]) <= 2
        seen += [job["id"] for job in page["jobs"]]
        cursor = page["cursor"]
        if cursor is None:
            break

    assert seen == ids
    assert len(body_of(site.client.get("/v1/jobs"))["jobs"]) == 5


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", "9" * 5000, "\N{SUPERSCRIPT TWO}"])
def test_a_strange_limit_is_a_fault(limit: str) -> None:
    body = assert_problem(Site().client.get(f"/v1/jobs?limit={limit}"), 422, "invalid_job")

    assert body["errors"][0]["pointer"] == "/limit"


def test_a_strange_cursor_is_a_fault() -> None:
    body = assert_problem(Site().client.get("/v1/jobs?cursor=zzz"), 422, "invalid_job")

    assert body["errors"][0]["pointer"] == "/cursor"


def test_the_fleet_is_shown_as_last_written() -> None:
    site = Site()
    empty = body_of(site.client.get("/v1/fleet"))
    instance = InstanceView(id="i-1", state="running", slot=0, since=NOW, busy=1, chunks=7)
    decision = Decision(at=NOW, reason="2 chunks wait", start=1)
    queue = Depth(visible=2, in_flight=1)
    site.world.ledger.write_view(
        FleetView(
            at=NOW,
            instances=(instance,),
            queue=queue,
            cap=4,
            decisions=(decision,),
            held="there is no image to launch",
            owner="us",
        )
    )

    body = body_of(site.client.get("/v1/fleet"))

    assert (empty["at"], empty["instances"], empty["cap"]) == (None, [], None)
    assert empty["stale"]
    assert body["queue"] == {"visible": 2, "in_flight": 1}
    assert (body["cap"], body["paused"], body["stale"]) == (4, False, False)
    assert (body["autoscaler"], body["held"]) == ("us", "there is no image to launch")
    at = "2023-11-14T22:13:20.000Z"
    assert body["at"] == at
    assert body["instances"] == [
        {"id": "i-1", "state": "running", "slot": 0, "since": at, "busy": 1, "chunks": 7}
    ]
    assert body["decisions"] == [
        {"at": at, "reason": "2 chunks wait", "start": 1, "launch": 0, "terminate": 0, "stop": 0}
    ]


def test_a_fleets_view_that_cannot_be_read_shows_as_none() -> None:
    site = Site()
    site.world.ledger._view = '{"at": "of another release"}'

    body = body_of(site.client.get("/v1/fleet"))

    assert (body["at"], body["instances"]) == (None, [])
    assert site.client.get("/fleet").status_code == 200


def test_what_ec2_refuses_is_shown_with_its_remedy() -> None:
    site = Site()
    refused = Refusal(
        action="terminate",
        target="i-1",
        cause="refused",
        code="OperationNotPermitted",
        message="Modify its 'disableApiTermination' <b>",
        since=NOW,
        at=NOW + 60,
        count=2,
    )
    queue = Depth(visible=0, in_flight=0)
    site.world.ledger.write_view(
        FleetView(at=NOW, instances=(), queue=queue, cap=4, held="why", refusals=(refused,))
    )

    body = body_of(site.client.get("/v1/fleet"))
    page = site.client.get("/fleet").text

    assert body["refusals"] == [
        {
            "what": "EC2 refuses to terminate i-1: OperationNotPermitted: Modify its "
            "'disableApiTermination' <b>",
            "code": "OperationNotPermitted",
            "since": "2023-11-14T22:13:20.000Z",
            "count": 2,
            "remedy": "remove the instance's protection from stopping or termination",
        }
    ]
    assert "Instances are missing: why" in page
    assert "OperationNotPermitted" in page
    assert "<b>" not in page


def test_the_fleets_last_hour_and_its_bill_are_shown() -> None:
    site = Site(dollars_per_hour=3.6)
    empty = body_of(site.client.get("/v1/fleet"))
    site.world.ledger.write_view(
        FleetView(
            at=NOW,
            instances=(),
            queue=Depth(visible=0, in_flight=0),
            cap=4,
            history=History((Sample(at=10, running=2, cap=4), Sample(at=20, visible=7, cap=4))),
            bill=Bill(ended=400.0, runs={"i-1": NOW - 100}),
        )
    )
    site.world.clock.advance(86_400)

    body = body_of(site.client.get("/v1/fleet"))

    assert (empty["history"]["at"], empty["billed_seconds"], empty["cost"]) == ([], 0.0, 0.0)
    assert body["history"] == {
        "at": [10, 20],
        "pending": [0, 0],
        "running": [2, 0],
        "stopping": [0, 0],
        "stopped": [0, 0],
        "visible": [0, 7],
        "in_flight": [0, 0],
        "cap": [4, 4],
    }
    assert (body["billed_seconds"], body["cost"]) == (500.0, 0.5)


def test_a_fleet_that_nobody_looks_after_is_shown_as_stale() -> None:
    site = Site()
    queue = Depth(visible=0, in_flight=0)
    site.world.ledger.write_view(FleetView(at=NOW, instances=(), queue=queue, cap=4))
    site.world.clock.advance(61)

    assert body_of(site.client.get("/v1/fleet"))["stale"]


def test_health_asks_nobody() -> None:
    fuse = Fuse(breaks_at=0)
    site = Site(fuse=fuse)

    assert body_of(site.client.get("/healthz"))["status"] == "ok"
    assert fuse.calls == 0


# --- what is refused, and how


def test_all_faults_come_in_one_answer_and_nothing_is_queued() -> None:
    site = Site()

    response = site.post({"grid_size": 0, "atoms": [[1, 2, 3, "4"]], "colour": 1})

    body = assert_problem(response, 422, "invalid_job")
    pointers = {error["pointer"] for error in body["errors"]}
    assert pointers == {"/grid_size", "/atoms/0/3", "/colour"}
    assert site.world.queued_chunks() == []
    assert site.world.store.objects == {}


def test_no_error_repeats_a_number_of_thousands_of_digits() -> None:
    response = Site().post('{"grid_size": 4, "atom_count": ' + "1" * 4000 + "}")

    assert_problem(response, 422, "invalid_job")
    assert len(response.data) < 2000


def test_what_is_not_json_is_a_bad_request() -> None:
    assert_problem(Site().post("[" * 100_000), 400, "not_json")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_type_is_not_supported(content_type: str) -> None:
    response = Site().client.post("/v1/jobs", data="{}", content_type=content_type or None)

    assert_problem(response, 415, "unsupported_media_type")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x"])
def test_an_encoded_body_is_not_unfolded(coding: str) -> None:
    bomb = gzip.compress(b" " * (1 << 20))

    response = Site().post(bomb, Content_Encoding=coding)

    assert_problem(response, 415, "unsupported_content_encoding")
    assert response.headers["Accept-Encoding"] == "identity"


def test_a_field_given_twice_is_refused() -> None:
    response = Site().post('{"grid_size": 4, "atom_count": 5, "grid_size": 6}')

    assert response.status_code == 422
    assert 'the name "grid_size" stands twice; give it once' in body_of(response)["detail"]


def test_a_charset_may_be_named() -> None:
    site = Site()
    response = site.client.post(
        "/v1/jobs",
        data='{"grid_size": 4, "atom_count": 5}',
        content_type="application/json; charset=utf-8",
    )

    assert response.status_code == 202


def test_a_body_that_says_it_is_too_large_is_refused_unread() -> None:
    response = Site().client.post(
        "/v1/jobs",
        content_type="application/json",
        environ_overrides={"CONTENT_LENGTH": str(limits.MAX_BODY_BYTES + 1)},
    )

    assert_problem(response, 413, "body_too_large")


@pytest.mark.parametrize(("more", "code"), [(0, "not_json"), (1, "body_too_large")])
def test_a_body_may_be_as_large_as_the_limit_and_no_larger(more: int, code: str) -> None:
    response = Site().client.post(
        "/v1/jobs",
        content_type="application/json",
        environ_overrides={
            "wsgi.input": io.BytesIO(b" " * (limits.MAX_BODY_BYTES + more)),
            "wsgi.input_terminated": True,
        },
    )

    assert body_of(response)["code"] == code


class Endless:
    """A body in pieces that never ends."""

    given = 0

    def read(self, size: int = -1) -> bytes:
        size = 1 << 16 if size < 0 else min(size, 1 << 16)
        self.given += size
        assert self.given < 2 * limits.MAX_BODY_BYTES
        return b" " * size

    def readinto(self, into: bytearray) -> int:
        piece = self.read(len(into))
        into[: len(piece)] = piece
        return len(piece)


def test_a_body_in_pieces_is_refused_once_it_is_too_large() -> None:
    response = Site().client.post(
        "/v1/jobs",
        content_type="application/json",
        environ_overrides={
            "wsgi.input": Endless(),
            "wsgi.input_terminated": True,
            "HTTP_TRANSFER_ENCODING": "chunked",
        },
    )

    assert_problem(response, 413, "body_too_large")


def test_only_a_few_large_bodies_are_read_together() -> None:
    site = Site(gates=narrow_gates())
    padded = b'{"grid_size": 4, "atom_count": 5}' + b" " * (1 << 20)
    with dependencies_of(site.app).gates.large_bodies.admitted():
        response = site.post(padded)
        assert site.post(SMALL).status_code == 202

    assert_problem(response, 503, "overloaded")
    assert response.headers["Retry-After"]
    assert site.post(padded).status_code == 202


@pytest.mark.parametrize("call", ["read", "put_new", "create"])
def test_a_service_that_is_away_asks_to_try_again(call: str) -> None:
    order = ["read", "get", "put_new", "create"]  # without known answers the job is computed
    site = Site(fuse=Fuse(breaks_at=order.index(call)))

    response = site.post(SMALL)

    assert_problem(response, 503, "busy")
    assert int(response.headers["Retry-After"]) >= 1
    assert site.post(SMALL).status_code == 202


def test_an_error_of_ours_is_no_page_of_html(caplog: pytest.LogCaptureFixture) -> None:
    site = Site(fuse=Fuse(breaks_at=0, error=ZeroDivisionError))
    site.app.config["PROPAGATE_EXCEPTIONS"] = False

    response = site.post(SMALL)

    assert_problem(response, 500, "internal_server_error")
    assert "ZeroDivisionError" in caplog.text
    assert b"Traceback" not in response.data


def test_errors_are_pages_for_people_and_problems_for_programs() -> None:
    client = Site().client
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

    page = client.get("/jobs/unknown", headers=browser)

    assert page.status_code == 404
    assert page.content_type.startswith("text/html")
    assert "there is no job" in page.text
    assert_problem(client.get("/jobs/unknown"), 404, "no_such_job")
    assert_problem(client.get("/v1/jobs/unknown", headers=browser), 404, "no_such_job")


def test_what_is_nowhere_and_what_may_not_be_done_are_problems_too() -> None:
    client = Site().client

    assert_problem(client.get("/v1/nothing"), 404, "not_found")
    response = client.delete("/v1/jobs")
    assert_problem(response, 405, "method_not_allowed")
    assert "POST" in response.headers["Allow"]


def test_a_failed_attempt_tells_why() -> None:
    site = Site()
    job = site.stored(site.post(SMALL))
    site.world.finisher().fail(job, JobError(CHUNK_FAILED, "chunk 0 was given back"))

    body = body_of(site.client.get(f"/v1/jobs/{job.id}"))

    assert body["error"]["code"] == CHUNK_FAILED
    assert re.fullmatch(r"[0-9a-f]{16}", body["attempt"])
    assert body_of(site.post(SMALL))["run"] == 2
