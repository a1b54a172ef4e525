"""Series over HTTP: asked for, derived from a done job, and as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gridwell.access.keys import Scope
from gridwell.engine.job import JobState
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.series import Series
from tests.harness.oracle import true_series
from tests.harness.web_http import SMALL, Site
from tests.harness.web_keys import Keyed
from tests.web_tier.api.test_jobs import assert_problem, body_of
from web_tier.kinds.grid.request import read_fields

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

PLACE = {"count": 3, "energy": -1, "min_distance": 0.5, "min_separation": 2}
IONS = {"grid_size": 6, "atom_count": 9, "seed": 2, "place": PLACE}
TOP = {"grid_size": 6, "atom_count": 9, "seed": 2, "top": 5, "min_separation": 2}


def pointers(response: TestResponse) -> dict[str, str]:
    return {fault["pointer"]: fault["detail"] for fault in body_of(response)["errors"]}


def test_ions_are_placed_and_shown_with_potential_and_energy() -> None:
    site = Site()
    job = site.done(IONS)
    problem = read_fields(IONS).problem

    shown = body_of(site.client.get(f"/v1/jobs/{job.id}"))

    assert shown["series"] == {"count": 3, "min_separation": 2.0, "energy": -1, "found": 3}
    assert shown["min_distance"] == 0.5
    assert [each["energy"] for each in shown["points"]] == [p.value for p in true_series(problem)]
    assert [each["value"] for each in shown["points"]] == [-p.value for p in true_series(problem)]
    assert shown["result"]["index"] == shown["points"][0]["index"]


def test_a_plain_job_shows_its_minimum_as_its_only_point() -> None:
    site = Site()
    job = site.done()

    shown = body_of(site.client.get(f"/v1/jobs/{job.id}"))

    assert shown["series"] is None
    assert [each["value"] for each in shown["points"]] == [shown["result"]["minimum"]]


def test_the_best_point_alone_is_the_problem_that_it_always_was() -> None:
    plain = read_fields(SMALL).problem
    one = read_fields(SMALL | {"top": 1, "min_separation": 4.0}).problem
    placed = read_fields(SMALL | {"place": {"count": 1, "energy": 1}}).problem

    assert plain.sha == one.sha
    assert plain.sha != placed.sha


@pytest.mark.parametrize(
    ("changes", "pointer", "words"),
    [
        ({"top": 3, "place": PLACE}, "/place", "either top or place"),
        ({"place": PLACE, "min_distance": 2}, "/place/min_distance", "give only one"),
        ({"min_separation": 2}, "/min_separation", "belongs to top"),
        ({"place": PLACE, "min_separation": 2}, "/min_separation", "belongs into place"),
        ({"top": 201}, "/top", "201 is not between 1 and 200 points"),
        ({"top": True}, "/top", "true"),
        ({"place": PLACE | {"count": 0}}, "/place/count", "0 is not between 1 and 200 ions"),
        ({"place": PLACE | {"energy": 2}}, "/place/energy", "neither 1 nor -1"),
        ({"place": PLACE | {"min_distance": -1}}, "/place/min_distance", "not a distance"),
        ({"place": PLACE | {"min_separation": 2e9}}, "/place/min_separation", "not a distance"),
        ({"place": PLACE | {"charge": 1}}, "/place/charge", "place has count, energy"),
        ({"place": {"count": 1}}, "/place/energy", "missing"),
    ],
)
def test_contradictions_are_told_at_their_field(
    changes: dict[str, Any], pointer: str, words: str
) -> None:
    told = pointers(Site().post(SMALL | changes))

    assert words in told[pointer]
    assert len(told) == 1


def test_a_series_that_no_worker_ends_is_refused_with_its_estimate() -> None:
    told = pointers(Site().post({"grid_size": 160, "atom_count": 40_000, "top": 200}))

    assert "estimated to take" in told["/top"]
    assert "ask for" in told["/top"]


def test_the_first_points_of_a_series_are_known_already() -> None:
    site = Site()
    job = site.done(TOP)
    before = len(site.world.ledger.recent("public", limit=9).jobs)

    two = body_of(site.client.get(f"/v1/jobs/{job.id}/result?top=2"))
    all_of_it = body_of(site.client.get(f"/v1/jobs/{job.id}/result"))

    assert (two["job"], two["wanted"], len(two["points"])) == (job.id, 2, 2)
    assert all_of_it["points"][:2] == two["points"]
    assert len(all_of_it["points"]) == 5
    assert len(site.world.ledger.recent("public", limit=9).jobs) == before


def test_more_points_are_looked_for_by_a_job_that_every_such_request_joins() -> None:
    site = Site()
    job = site.done(SMALL)
    address = f"/v1/jobs/{job.id}/result?top=3&min_separation=1.5"

    first, second = site.client.get(address), site.client.get(address)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.headers["Location"] == second.headers["Location"]
    derived = site.stored(first)
    site.finish(derived)
    third = site.client.get(address)

    asked = read_fields(SMALL).problem
    wanted = Problem(asked.grid, asked.atoms, series=Series(3, 1.5))
    assert derived.spec == wanted.sha
    assert third.status_code == 200
    points = body_of(third)["points"]
    assert [each["value"] for each in points] == [p.value for p in true_series(wanted)]


def test_a_head_tells_what_a_get_would_and_submits_nothing() -> None:
    site = Site()
    job = site.done(SMALL)
    address = f"/v1/jobs/{job.id}/result?top=3&min_separation=1.5"

    before = site.client.head(address)
    assert before.status_code == 409
    assert len(site.world.ledger.recent("public", limit=9).jobs) == 1

    derived = site.stored(site.client.get(address))
    meanwhile = site.client.head(address)
    assert (meanwhile.status_code, meanwhile.headers["Location"]) == (202, f"/v1/jobs/{derived.id}")
    site.finish(derived)
    assert site.client.head(address).headers["ETag"] == site.client.get(address).headers["ETag"]


def test_a_series_that_ended_early_is_not_looked_for_again() -> None:
    site = Site()
    job = site.done({"grid_size": 3, "atom_count": 4, "top": 9, "min_separation": 3})
    assert len(grid_view(job).points) < 9

    more = site.client.get(f"/v1/jobs/{job.id}/result?top=50")

    assert more.status_code == 200
    assert len(body_of(more)["points"]) == len(grid_view(job).points)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("top=0", "/top"),
        ("top=201", "/top"),
        ("top=x", "/top"),
        ("top=2&min_separation=-1", "/min_separation"),
        ("top=2&min_separation=nan", "/min_separation"),
        ("min_separation=1", "/min_separation"),
    ],
)
def test_a_query_that_cannot_be_used_is_told(query: str, pointer: str) -> None:
    site = Site()
    job = site.done()

    assert pointer in pointers(site.client.get(f"/v1/jobs/{job.id}/result?{query}"))


@pytest.mark.parametrize("part", ["result", "points.csv", "ions.pdb"])
def test_only_done_jobs_have_points(part: str) -> None:
    site = Site()
    job = site.stored(site.post(IONS))

    assert_problem(site.client.get(f"/v1/jobs/{job.id}/{part}"), 409, "not_done")
    assert_problem(site.client.get(f"/v1/jobs/{'0' * 32}/{part}"), 404, "no_such_job")


def test_ions_are_stored_as_a_file_that_programs_read() -> None:
    site = Site()
    job = site.done(IONS)

    file = site.client.get(f"/v1/jobs/{job.id}/ions.pdb")

    lines = [line for line in file.text.splitlines() if line.startswith("HETATM")]
    assert file.headers["Content-Disposition"] == f'attachment; filename="{job.id[:8]}-ions.pdb"'
    assert len(lines) == 3
    assert all(line[17:20].strip() == "CL" for line in lines)
    places = [tuple(float(line[at : at + 8]) for at in (30, 38, 46)) for line in lines]
    assert places == [grid_view(job).grid.point(point.index) for point in grid_view(job).points]


def test_points_are_stored_with_every_bit() -> None:
    site = Site()
    job = site.done(TOP)

    header, *rows = site.client.get(f"/v1/jobs/{job.id}/points.csv").text.split()

    assert header == "ix,iy,iz,x,y,z,potential"
    assert [float(row.split(",")[6]) for row in rows] == [
        point.value for point in grid_view(job).points
    ]


def test_a_job_without_ions_has_no_file_of_them() -> None:
    site = Site()
    job = site.done(TOP)
    assert job.state is JobState.DONE

    assert_problem(site.client.get(f"/v1/jobs/{job.id}/ions.pdb"), 409, "no_ions")


def test_only_who_may_submit_makes_another_job_by_asking_for_more_points() -> None:
    keyed = Keyed()
    job = keyed.job(keyed.key(), done=True)
    reader = keyed.key(scopes=frozenset({Scope.READ}))

    known = keyed.ask("GET", f"/v1/jobs/{job.id}/result", reader)
    more = keyed.ask("GET", f"/v1/jobs/{job.id}/result?top=3", reader)
    allowed = keyed.ask("GET", f"/v1/jobs/{job.id}/result?top=3", keyed.key())

    assert known.status_code == 200
    assert_problem(more, 403, "scope_missing")
    assert allowed.status_code == 202
    derived = keyed.world.ledger.read(body_of(allowed)["id"])
    assert derived is not None
    assert derived.client == job.client


def test_another_sites_page_makes_no_job_by_asking_for_more_points() -> None:
    site = Site()
    job = site.done()

    more = site.client.get(
        f"/v1/jobs/{job.id}/result?top=3", headers={"Sec-Fetch-Site": "cross-site"}
    )

    assert more.status_code == 403
