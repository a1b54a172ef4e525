from __future__ import annotations

from typing import Any

import pytest

from gridwell.engine.messages import ChunkMessage
from tests.harness.web_http import Site

ASKED: dict[str, Any] = {"kind": "sleep", "seconds": 0.01, "count": 1000}


def test_job_is_accepted_with_all_of_its_tasks() -> None:
    site = Site()

    response = site.client.post("/v1/jobs", json=ASKED)

    assert response.status_code == 202
    job = response.get_json()
    assert (job["kind"], job["state"]) == ("sleep", "queued")
    sent = [
        ChunkMessage.decode(each.body) for each in site.world.chunks.receive(at_most=10, wait=0)
    ]
    assert sorted(task for message in sent for task in message.task_set) == list(range(1000))
    again = site.client.get(f"/v1/jobs/{job['id']}").get_json()
    assert (again["id"], again["kind"]) == (job["id"], "sleep")


def test_job_without_a_page_of_its_own_has_the_plain_one() -> None:
    site = Site()
    job = site.client.post("/v1/jobs", json=ASKED).get_json()["id"]

    page = site.client.get(f"/jobs/{job}")

    assert page.status_code == 200
    assert "sleep" in page.get_data(as_text=True)
    assert site.client.get("/jobs").status_code == 200


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"seconds": None}, "/seconds"),
        ({"seconds": "1"}, "/seconds"),
        ({"seconds": True}, "/seconds"),
        ({"seconds": -1}, "/seconds"),
        ({"count": 0}, "/count"),
        ({"count": 1.5}, "/count"),
        ({"count": 1_000_001}, "/count"),
        ({"count": 1_000_000, "seconds": 300}, "/count"),
        ({"grid_size": 4}, "/grid_size"),
    ],
)
def test_fault_names_the_field(change: dict[str, Any], pointer: str) -> None:
    response = Site().client.post("/v1/jobs", json=ASKED | change)

    assert response.status_code == 422
    assert pointer in [fault["pointer"] for fault in response.get_json()["errors"]]


@pytest.mark.parametrize("count", [3, 1_000])
def test_ended_job_says_how_many_tasks_are_done(count: int) -> None:
    site = Site()
    job = site.done(ASKED | {"count": count})

    progress = site.client.get(f"/v1/jobs/{job.id}").get_json()["progress"]

    assert progress == {"tasks_done": count, "tasks_failed": 0, "tasks_total": count}


@pytest.mark.parametrize(
    "path", ["atoms", "record", "result?top=3", "points.csv", "ions.pdb", "grid.dx", "grid.npz"]
)
def test_files_of_the_grid_kinds_are_refused(path: str) -> None:
    site = Site()
    job = site.done(ASKED)

    response = site.client.get(f"/v1/jobs/{job.id}/{path}")

    assert (response.status_code, response.get_json()["code"]) == (409, "other_kind")
    assert job.id in response.get_json()["detail"]
