"""Jobs of any kind over HTTP: read, shown and listed through the registry."""

from __future__ import annotations

from typing import Any

import pytest

from gridwell.engine.job import CHUNK_FAILED, JobError, JobState
from gridwell.engine.json_text import shown
from tests.harness.nap_kind import NAP, nap, site_with_naps
from tests.harness.web_http import SMALL, Site
from tests.web_tier.api.test_jobs import assert_problem, body_of
from web_tier.dependencies import dependencies_of


@pytest.fixture
def site() -> Site:
    return site_with_naps()


def test_a_kind_is_chosen_by_its_name(site: Site) -> None:
    response = site.post({"kind": NAP, "seconds": 0.5})

    body = body_of(response)
    assert response.status_code == 202
    assert body["kind"] == NAP
    assert body["details"] == {"seconds": 0.5, "note": "<b>"}
    assert body["progress"] == {"tasks_done": 0, "tasks_failed": 0, "tasks_total": 4}
    assert (body["state"], body["error"], body["finished"]) == ("queued", None, None)
    assert body == body_of(site.client.get(body["links"]["self"]))


def test_faults_of_a_kind_keep_their_pointers(site: Site) -> None:
    body = assert_problem(site.post({"kind": NAP}), 422, "invalid_job")

    assert body["errors"] == [{"pointer": "/seconds", "detail": "give a number of seconds"}]


@pytest.mark.parametrize("name", ["sleeep", "", "GridWeb", 7, ["nap"], {"a": 1}, True, 1e400])
def test_an_unknown_kind_is_refused_with_the_known_ones(site: Site, name: object) -> None:
    response = site.post({**SMALL, "kind": name})

    body = assert_problem(response, 422, "invalid_job")
    [fault] = body["errors"]
    assert fault["pointer"] == "/kind"
    assert "map, minimum, nap, series" in fault["detail"]
    assert shown(name) in fault["detail"]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("minimum", {}), ("series", {"top": 2}), ("map", {"keep_grid": True}), (None, {})],
)
def test_a_grid_kind_may_be_named_and_gives_the_same_job(
    kind: str | None, fields: dict[str, Any]
) -> None:
    site = Site()

    unnamed, named = site.post(SMALL | fields), site.post({"kind": kind} | SMALL | fields)

    assert named.status_code == 202
    assert body_of(named) == body_of(unnamed)


@pytest.mark.parametrize("fields", [{}, {"top": 2}])
def test_a_grid_kind_that_its_fields_do_not_ask_for_is_refused(fields: dict[str, Any]) -> None:
    body = assert_problem(Site().post({"kind": "map"} | SMALL | fields), 422, "invalid_job")

    asked = "series" if fields else "minimum"
    assert body["errors"][0]["pointer"] == "/kind"
    assert f"of kind {asked}, not map" in body["errors"][0]["detail"]


def test_a_list_holds_jobs_of_all_kinds(site: Site) -> None:
    site.post(SMALL)
    site.post({"kind": NAP, "seconds": 0.5})

    jobs = body_of(site.client.get("/v1/jobs"))["jobs"]

    assert sorted(job.get("kind", "grid") for job in jobs) == ["grid", NAP]
    assert any("points_total" in job["progress"] for job in jobs)


def test_events_of_any_kind_count_tasks(site: Site) -> None:
    job = body_of(site.post({"kind": NAP, "seconds": 0.5}))["id"]
    assert site.client.delete(f"/v1/jobs/{job}").status_code == 204

    text = site.client.get(f"/v1/jobs/{job}/events").text

    assert '"state":"cancelled","tasks_done":0,"tasks_total":4' in text
    assert "points" not in text


def test_a_kind_without_a_page_gets_the_plain_one(site: Site) -> None:
    job = body_of(site.post({"kind": NAP, "seconds": 0.5}))["id"]

    running = site.client.get(f"/jobs/{job}").text
    error = JobError(CHUNK_FAILED, "chunk 0 failed")
    stored = site.world.ledger.read(job)
    assert stored is not None
    site.world.ledger.fail(job, stored.attempt, error=error, now=site.world.clock.now())
    failed = site.client.get(f"/jobs/{job}").text

    assert "0 of 4 tasks" in running
    assert "Cancel" in running
    assert "http-equiv" in running
    assert "&#34;seconds&#34;: 0.5" in running
    assert "<b>" not in running
    assert "chunk 0 failed" in failed
    assert "Submit again" in failed
    assert "http-equiv" not in failed
    assert f"{NAP}, 4 tasks" in site.client.get("/jobs").text


def test_a_failed_job_of_any_kind_can_be_submitted_again_from_its_page(site: Site) -> None:
    job = body_of(site.post({"kind": NAP, "seconds": 0.5}))["id"]
    assert site.client.delete(f"/v1/jobs/{job}").status_code == 204

    response = site.client.post(f"/jobs/{job}/again")

    assert response.status_code == 303
    stored = site.world.ledger.read(job)
    assert stored is not None
    assert (stored.state, stored.run) == (JobState.QUEUED, 2)


def test_a_job_of_a_kind_of_another_release_is_shown_plainly() -> None:
    site = Site()
    job = dependencies_of(site.app).service.submit(nap(0.5))
    site.world.ledger.cancel(job.id, job.attempt, now=site.world.clock.now())

    shown = body_of(site.client.get(f"/v1/jobs/{job.id}"))

    assert (shown["kind"], shown["details"]) == (NAP, {})
    assert site.client.get(f"/jobs/{job.id}").status_code == 200
    assert_problem(site.client.post(f"/jobs/{job.id}/again"), 409, "unknown_kind")


def test_the_description_holds_the_schemas_of_each_kind(site: Site) -> None:
    spec = body_of(site.client.get("/openapi.json"))

    schemas = spec["components"]["schemas"]
    requests = [one["$ref"].rsplit("/", 1)[-1] for one in schemas["Request"]["anyOf"]]
    jobs = [one["$ref"].rsplit("/", 1)[-1] for one in schemas["Job"]["anyOf"]]
    assert requests[0] == "JobRequest"
    assert "NapRequest" in requests
    assert jobs == ["JobShown", "PlainJobShown"]
    assert {*requests, *jobs} <= schemas.keys()
    assert "NapRequest" in site.client.get("/docs").text
