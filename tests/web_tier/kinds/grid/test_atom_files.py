"""Atoms and records to download, the description of the interface, and the page."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import numpy as np
import pytest
from openapi_spec_validator import validate

from gridwell.engine.object_keys import problem_object, record_object
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.atoms import Atoms, random_atoms
from gridwell.kinds.grid.grid import Grid
from tests.harness.web import Fuse
from tests.harness.web_http import SMALL, Site, narrow_gates
from tests.harness.web_keys import Keyed
from web_tier.kinds.grid.models import JobRequest

TRUE = random_atoms(5, seed=1, grid=Grid.cube(4))


def parsed(accept: str, data: bytes) -> Atoms:
    if "json" in accept or accept in ("", "*/*"):
        return Atoms.from_rows(json.loads(data)["atoms"])
    if "csv" in accept:
        return Atoms.from_rows(np.loadtxt(io.BytesIO(data), delimiter=",", skiprows=1, ndmin=2))
    return Atoms.from_rows(np.load(io.BytesIO(data), allow_pickle=False))


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/csv", "text/csv"),
        ("application/x-npy", "application/x-npy"),
        ("application/octet-stream", "application/octet-stream"),
        ("text/html, text/csv;q=0.5, application/json;q=0.1", "text/csv"),
    ],
)
def test_atoms_come_in_the_form_asked_for_and_keep_every_bit(
    accept: str, content_type: str
) -> None:
    site = Site()
    job = site.stored(site.post(SMALL))

    response = site.client.get(
        f"/v1/jobs/{job.id}/atoms", headers={"Accept": accept} if accept else {}
    )

    assert response.status_code == 200
    assert response.mimetype == content_type
    assert response.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert set(response.vary) == {"Accept", "Authorization", "Cookie"}
    assert job.spec in response.headers["ETag"]
    assert parsed(content_type, response.data).sha() == TRUE.sha()


def test_atoms_that_the_client_has_are_not_sent_again() -> None:
    site = Site()
    job = site.stored(site.post(SMALL))
    path = f"/v1/jobs/{job.id}/atoms"
    etag = site.client.get(path).headers["ETag"]

    for header in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        again = site.client.get(path, headers={"If-None-Match": header})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == etag
    csv = site.client.get(path, headers={"If-None-Match": etag, "Accept": "text/csv"})
    assert csv.status_code == 200


def test_atoms_in_no_known_form_are_not_acceptable() -> None:
    site = Site()
    job = site.stored(site.post(SMALL))

    response = site.client.get(f"/v1/jobs/{job.id}/atoms", headers={"Accept": "image/png"})

    assert response.status_code == 406
    assert response.content_type == "application/problem+json"
    assert "text/csv" in response.text


def test_the_record_is_the_one_in_the_store() -> None:
    site = Site()
    job = site.done()

    response = site.client.get(f"/v1/jobs/{job.id}/record")

    assert response.content_type == "application/json"
    assert response.data == site.world.store.get(record_object(job.id, job.attempt))
    assert json.loads(response.data)["Atom count"] == 5


def test_an_unfinished_job_has_no_record_yet() -> None:
    site = Site()
    job = site.stored(site.post(SMALL))

    response = site.client.get(f"/v1/jobs/{job.id}/record")

    assert response.status_code == 409
    assert response.json is not None
    assert response.json["code"] == "not_done"


def test_pages_of_any_origin_may_read_with_a_key_what_a_job_stands_on() -> None:
    keyed = Keyed()
    key = keyed.key()
    job = keyed.job(key, done=True)

    for part in ("atoms", "record"):
        response = keyed.ask("GET", f"/v1/jobs/{job.id}/{part}", key)
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "ETag" in response.headers["Access-Control-Expose-Headers"]


def test_objects_that_have_expired_are_gone() -> None:
    site = Site()
    job = site.done()
    site.world.store.objects.pop(problem_object(job.spec))
    site.world.store.objects.pop(record_object(job.id, job.attempt))

    assert site.client.get(f"/v1/jobs/{job.id}/atoms").status_code == 410
    assert site.client.get(f"/v1/jobs/{job.id}/record").status_code == 410


def description() -> dict[str, Any]:
    body = Site().client.get("/openapi.json").json
    assert isinstance(body, dict)
    return body


def test_the_description_is_valid_openapi_3_1() -> None:
    spec = description()

    validate(spec)
    assert spec["openapi"] == "3.1.0"


def test_the_description_tells_of_etags_where_answers_have_one() -> None:
    paths = description()["paths"]

    conditional = {
        path
        for path, methods in paths.items()
        if "304" in methods.get("get", {}).get("responses", {})
    }
    assert conditional == {
        path for path in paths if path.startswith("/v1/") and not path.endswith("/events")
    }
    for path in conditional:
        reading = paths[path]["get"]
        assert "If-None-Match" in {one["name"] for one in reading["parameters"]}
        assert all("ETag" in reading["responses"][each]["headers"] for each in ("200", "304"))


def test_the_description_names_every_route_that_is_no_page() -> None:
    rules = {rule.rule for rule in Site().app.url_map.iter_rules()}
    of_the_process = {"/healthz", "/metrics", "/readyz"}
    routes = {rule for rule in rules if rule.startswith("/v1/")} | of_the_process

    assert set(description()["paths"]) == {re.sub(r"<(\w+)>", r"{\1}", rule) for rule in routes}


def test_a_link_may_name_the_form_of_atoms_that_it_wants() -> None:
    site = Site()
    job = site.done()

    answer = site.client.get(f"/v1/jobs/{job.id}/atoms?format=csv", headers={"Accept": "text/html"})

    assert answer.content_type.startswith("text/csv")
    assert site.client.get(f"/v1/jobs/{job.id}/atoms?format=doc").status_code == 406


def test_the_description_shows_the_fields_and_their_limits() -> None:
    spec = description()
    request = spec["components"]["schemas"]["JobRequest"]

    assert set(request["properties"]) == {*JobRequest.model_fields, "kind"}
    assert request["additionalProperties"] is False
    assert request["properties"]["atoms"]["maxItems"] == limits.MAX_ATOMS
    assert request["properties"]["seed"]["maximum"] == limits.MAX_SEED
    shown = spec["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
    for example in shown["examples"].values():
        assert Site().post(example["value"]).status_code == 202


def test_only_a_few_clients_download_many_atoms_together() -> None:
    site = Site(gates=narrow_gates())
    job = site.stored(site.post({"grid_size": 4, "atom_count": 10_001}))
    few = site.stored(site.post(SMALL))
    path = f"/v1/jobs/{job.id}/atoms"

    first = site.client.get(path, buffered=False)
    refused = site.client.get(path)
    other = site.client.get(f"/v1/jobs/{few.id}/atoms")
    first.close()

    assert (refused.status_code, other.status_code) == (503, 200)
    assert refused.json is not None
    assert refused.json["code"] == "overloaded"
    assert site.client.get(path).status_code == 200


def test_a_download_that_fails_gives_its_place_back() -> None:
    fuse = Fuse()
    site = Site(fuse=fuse, gates=narrow_gates())
    job = site.stored(site.post({"grid_size": 4, "atom_count": 10_001}))
    path = f"/v1/jobs/{job.id}/atoms"
    fuse.breaks_at = fuse.calls + 1  # after the ledger the store

    assert site.client.get(path).json["code"] == "busy"  # type: ignore[index]
    assert site.client.get(path).status_code == 200
