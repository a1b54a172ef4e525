"""A kept map: downloaded whole or not at all, in bounded memory, and read by other programs."""

from __future__ import annotations

import csv
import io
import itertools
import math
import re
import tracemalloc
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gridData
import numpy as np
import pytest
import requests
from ase.io.cube import read_cube
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.errors import GridwellError, InvalidMessage
from gridwell.engine.job import JobState
from gridwell.engine.object_keys import problem_object
from gridwell.engine.task_files import BLOCK_BYTES, block_digests, digest_of
from gridwell.kinds.grid.formats.atoms.npy import float64_header
from gridwell.kinds.grid.formats.maps.cube import BOHR
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.job_view import grid_view, register_of
from gridwell.kinds.grid.map_check import MapCheck
from gridwell.kinds.grid.map_objects import map_digests_object, map_object
from gridwell.kinds.grid.map_reader import MapGone, map_values
from gridwell.kinds.grid.names import MAP_KIND
from tests.harness.builders import NOW, a_job, a_problem, a_register
from tests.harness.oracle import true_map, true_minimum
from tests.harness.waiting import DEADLINE
from tests.harness.web import Fuse, World
from tests.harness.web_http import SMALL, Site, a_service, narrow_gates, problem_of
from tests.load.server import serving
from web_tier.api.downloads import exactly
from web_tier.jobs.cached_jobs import encode_final, final_key
from web_tier.kinds.grid.request import read_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gridwell.engine.job import Job

#: Not a cube, cut into eight, with an atom on a point and a place off the origin.
BODY: dict[str, Any] = {
    "grid": {"origin": [-1, 0.5, 2], "spacing": [0.5, 1, 0.25], "shape": [4, 5, 7]},
    "atoms": [[0, 1.5, 2.5, -1.0], [0.3, 2.1, 3.3, 0.5]],
    "keep_grid": True,
}
FORMS = ["dx", "cube", "npz"]


@pytest.fixture
def site() -> Site:
    return Site()


def done(site: Site, *, chunks: int = 8) -> Job:
    """A done job that kept its map, cut into some chunks."""
    job = site.world.submit(read_fields(BODY).problem, chunks=chunks, kind=MAP_KIND)
    site.finish(job)
    return site.world.job(job)


def values_of(site: Site, job: Job) -> np.ndarray:
    problem = problem_of(a_service(site.world), job)
    assert problem is not None
    return np.array(true_map(problem, problem.grid.box))


def path(job: Job, form: str) -> str:
    return f"/v1/jobs/{job.id}/grid.{form}"


def test_an_npz_is_read_by_numpy_with_every_bit_and_its_gaps(site: Site) -> None:
    job = done(site)

    response = site.client.get(path(job, "npz"))

    assert response.status_code == 200
    with np.load(io.BytesIO(response.data), allow_pickle=False) as file:
        assert np.array_equal(file["potential"], values_of(site, job), equal_nan=True)
        assert np.isnan(file["potential"]).sum() == 1
        assert tuple(file["origin"]) == grid_view(job).grid.origin
        assert tuple(file["spacing"]) == grid_view(job).grid.spacing
        assert np.nanmin(file["potential"]) == grid_view(job).result.value  # type: ignore[union-attr]


def test_a_dx_is_read_by_grid_data_formats(site: Site, tmp_path: Path) -> None:
    job = done(site)
    file = tmp_path / "grid.dx"

    file.write_bytes(site.client.get(path(job, "dx")).data)

    grid = gridData.Grid(str(file))
    assert np.array_equal(grid.grid, np.nan_to_num(values_of(site, job)))
    assert tuple(grid.origin) == grid_view(job).grid.origin
    assert tuple(grid.delta) == grid_view(job).grid.spacing
    assert job.id in file.read_text().splitlines()[0]


def test_a_cube_is_read_by_ase_with_its_atoms(site: Site) -> None:
    job = done(site)

    response = site.client.get(path(job, "cube"))

    read = read_cube(io.StringIO(response.text), program=None)  # type: ignore[no-untyped-call] # ASE's
    expected = np.nan_to_num(values_of(site, job))
    np.testing.assert_allclose(read["data"], expected, rtol=1e-5)
    np.testing.assert_allclose(read["origin"], grid_view(job).grid.origin, atol=BOHR * 1e-6)
    assert len(read["atoms"]) == 2


@pytest.mark.parametrize("form", FORMS)
def test_a_map_is_a_file_to_store(site: Site, form: str) -> None:
    job = done(site)

    response = site.client.get(path(job, form))

    name = re.escape(f"{job.id[:8]}-grid.{form}")
    assert re.fullmatch(rf'attachment; filename="{name}"', response.headers["Content-Disposition"])
    again = site.client.get(path(job, form), headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_each_format_has_an_etag_of_its_own(site: Site) -> None:
    job = done(site)

    assert len({site.client.get(path(job, form)).headers["ETag"] for form in FORMS}) == 3


def test_a_job_says_where_its_map_is_once_it_is_done(site: Site) -> None:
    asked = site.post(BODY).json
    assert asked is not None
    assert (asked["keep_grid"], asked["grids"]) == (True, [])

    job = site.done(BODY)

    shown = site.client.get(f"/v1/jobs/{job.id}").json
    assert shown is not None
    assert shown["grids"] == [path(job, form) for form in FORMS]
    page = site.client.get(f"/jobs/{job.id}").text
    assert all(f'href="{path(job, form)}"' in page for form in FORMS)
    other = site.done(SMALL)
    assert "grid.dx" not in site.client.get(f"/jobs/{other.id}").text


# --- its length, and looking without reading


@pytest.mark.parametrize("form", ["cube", "npz"])
def test_a_download_tells_its_length_where_numbers_have_one_width(site: Site, form: str) -> None:
    job = done(site)

    response = site.client.get(path(job, form), buffered=False)

    assert int(response.headers["Content-Length"]) == len(response.data)


def test_a_download_of_dx_cannot_tell_its_length(site: Site) -> None:
    response = site.client.get(path(done(site), "dx"), buffered=False)

    assert "Content-Length" not in response.headers
    response.close()


@pytest.mark.parametrize("form", ["grid.dx", "grid.cube", "grid.npz", "points.csv"])
def test_who_asks_for_the_head_hears_what_a_download_says_and_reads_one_row(
    site: Site, form: str
) -> None:
    job = done(site)
    place = f"/v1/jobs/{job.id}/{form}"
    with site.client.get(place, buffered=False) as whole:
        expected = dict(whole.headers)
    read: list[int] = []
    stored = site.world.store.get_range

    def look(key: str, start: int, length: int) -> bytes | None:
        read.append(length)
        return stored(key, start, length)

    site.world.store.get_range = look  # type: ignore[method-assign]

    head = site.client.head(place)

    assert head.data == b""
    assert {name: value for name, value in head.headers if name != "X-Request-ID"} == {
        name: value for name, value in expected.items() if name != "X-Request-ID"
    }
    # A block of each of the two chunks that the first row cuts, and of the answer's.
    assert read == [BLOCK_BYTES] * 3


def test_the_head_of_a_large_map_takes_no_place_and_next_to_no_reads() -> None:
    site = Site(gates=narrow_gates())
    job = a_large_map((128, 128, 64), 4)
    offer(site, job)
    with site.client.get(path(job, "npz"), buffered=False):
        head = site.client.head(path(job, "npz"))

    assert head.status_code == 200
    assert int(head.headers["Content-Length"]) > 8 * 2**20


def test_a_part_of_a_file_is_not_to_be_had_and_the_whole_comes_instead(site: Site) -> None:
    job = done(site)

    response = site.client.get(path(job, "npz"), headers={"Range": "bytes=5-9"})

    assert (response.status_code, response.headers["Accept-Ranges"]) == (200, "none")
    assert len(response.data) > 5


def test_a_file_of_another_length_than_was_told_is_never_whole() -> None:
    for parts in ([b"ab"], [b"abc", b"d"], []):
        with pytest.raises(GridwellError, match="promised"):
            list(exactly(parts, 3))
    assert list(exactly([b"ab", b"c"], 3)) == [b"ab", b"c"]


# --- every point as CSV


def test_points_of_a_job_that_kept_its_map_are_all_of_the_grids(site: Site) -> None:
    job = done(site)

    response = site.client.get(f"/v1/jobs/{job.id}/points.csv")

    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert response.mimetype == "text/csv"
    assert f'"{job.id[:8]}-points.csv"' in response.headers["Content-Disposition"]
    assert len(rows) == grid_view(job).grid.points
    values = [float(row["potential"] or "nan") for row in rows]
    assert np.array_equal(values, values_of(site, job).reshape(-1), equal_nan=True)
    places = [tuple(float(row[axis]) for axis in "xyz") for row in rows]
    assert places == [
        grid_view(job).grid.point(index) for index in range(grid_view(job).grid.points)
    ]
    assert "Map (.csv)" in site.client.get(f"/jobs/{job.id}").text


def test_an_unfinished_job_has_no_points_of_its_map_yet(site: Site) -> None:
    job = site.stored(site.post(BODY))

    response = site.client.get(f"/v1/jobs/{job.id}/points.csv")

    assert response.status_code == 409
    assert response.json is not None
    assert response.json["code"] == "not_done"


# --- what is not there


def code(site: Site, job: Job, form: str) -> tuple[int, str]:
    response = site.client.get(path(job, form))
    assert response.content_type == "application/problem+json"
    assert response.json is not None
    return response.status_code, response.json["code"]


@pytest.mark.parametrize("form", FORMS)
def test_a_map_that_was_not_asked_for_is_told_how_to_get(site: Site, form: str) -> None:
    job = site.done(SMALL)

    assert code(site, job, form) == (409, "grid_not_kept")
    assert '\\"keep_grid\\": true' in site.client.get(path(job, form)).text


@pytest.mark.parametrize("form", FORMS)
def test_a_map_is_not_there_before_its_job_is_done(site: Site, form: str) -> None:
    assert code(site, site.stored(site.post(BODY)), form) == (409, "not_done")


def test_no_job_no_map(site: Site) -> None:
    assert site.client.get(f"/v1/jobs/{'0' * 32}/grid.dx").status_code == 404
    assert site.client.get("/v1/jobs/odd/grid.npz").status_code == 404
    assert site.client.get(path(done(site), "vtk")).status_code == 404


@pytest.mark.parametrize("form", FORMS)
def test_a_map_that_expired_is_gone(site: Site, form: str) -> None:
    job = done(site)
    site.world.store.objects.pop(map_object(job.id, job.attempt, 0))
    assert code(site, job, form) == (410, "gone")
    assert site.client.head(path(job, form)).status_code == 410


def test_only_the_file_that_holds_the_atoms_needs_them(site: Site) -> None:
    job = done(site)
    site.world.store.objects.pop(problem_object(job.spec))

    assert code(site, job, "cube") == (410, "gone")
    assert site.client.head(path(job, "cube")).status_code == 410
    for form in ("dx", "npz"):
        assert site.client.get(path(job, form)).status_code == 200


def test_a_grid_too_fine_for_a_cube_is_told_so(site: Site) -> None:
    grid = BODY["grid"] | {"spacing": [1e-8, 1, 1]}
    job = site.done(BODY | {"grid": grid})

    assert code(site, job, "cube") == (422, "invalid_job")
    assert site.client.head(path(job, "cube")).status_code == 422
    assert site.client.get(path(job, "npz")).status_code == 200


def test_a_store_that_is_busy_is_told_before_the_file_begins() -> None:
    fuse = Fuse()
    site = Site(fuse=fuse)
    job = done(site)
    fuse.breaks_at = fuse.calls + 1  # the problem, and then the map

    assert code(site, job, "dx") == (503, "busy")


# --- what breaks in the middle


def test_a_chunk_that_is_missing_in_the_middle_ends_the_download() -> None:
    world = World()
    job = world.submit(a_problem(6), chunks=8, kind=MAP_KIND)
    world.keep_map(job, a_problem(6))
    world.store.objects.pop(map_object(job.id, job.attempt, 7))
    slabs = map_values(world.store, job, most_points=36)

    for _ in range(3):
        next(slabs)
    with pytest.raises(MapGone, match="chunk 7"):
        next(slabs)


def test_a_file_that_breaks_off_never_looks_whole(tmp_path: Path) -> None:
    app = "tests.harness.web_http:broken_application()"
    with serving(tmp_path / "log", threads=40, app=app) as server:
        (job,) = requests.get(f"{server.url}/v1/jobs", timeout=DEADLINE).json()["jobs"]
        for form in FORMS:
            url = f"{server.url}/v1/jobs/{job['id']}/grid.{form}"
            with requests.get(url, stream=True, timeout=DEADLINE) as response:
                assert response.status_code == 200
                pieces = response.iter_content(65_536)
                assert next(pieces)
                with pytest.raises(requests.exceptions.ChunkedEncodingError):
                    deque(pieces, maxlen=0)
        assert requests.get(f"{server.url}/healthz", timeout=DEADLINE).status_code == 200
        assert "the map of chunk 7" in server.log


# --- what it costs


class EndlessStore:
    """A store that holds any map, and no byte of it."""

    def __init__(self, job: Job) -> None:
        self.reads = 0
        self._headers = {
            map_object(job.id, job.attempt, chunk): float64_header(
                grid_view(job).chunking.box(chunk).shape
            )
            for chunk in range(job.tasks)
        }

    def get_range(self, key: str, start: int, length: int) -> bytes:
        self.reads += 1
        return (self._headers[key] if start == 0 else b"").ljust(length, b"\0")


def a_large_map(shape: tuple[int, int, int], chunks: int) -> Job:
    problem = replace(a_problem(3), grid=Grid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), shape))
    return a_job(problem, chunks=chunks, kind=MAP_KIND, state=JobState.DONE, finished=NOW)


def offer(site: Site, job: Job) -> None:
    """Let a site know a large job, and hold its map."""
    problem, store = replace(a_problem(3), grid=grid_view(job).grid), site.world.store
    store.put_new(problem_object(problem.sha), problem.encode(), content_type="")
    store.get_range = EndlessStore(job).get_range  # type: ignore[method-assign]
    site.world.values.set(final_key(job.id), encode_final(job), seconds=3600)


def peak(pieces: Iterator[Any]) -> float:
    """Megabytes that reading takes at most."""
    tracemalloc.start()
    for _ in pieces:
        pass
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 2**20


@pytest.mark.parametrize(
    "shape", [(256, 256, 256), (2, 2048, 4096), (1, 256, 65_536), (65_536, 16, 16)]
)
def test_a_map_of_any_shape_is_read_in_little_memory_and_few_requests(
    shape: tuple[int, int, int],
) -> None:
    job = a_large_map(shape, 32)
    store: Any = EndlessStore(job)

    assert peak(map_values(store, job)) < 20  # of 128 MiB
    assert store.reads <= 32 * math.prod(shape) // 2**19


@pytest.mark.parametrize(
    ("form", "points"), [("npz", 2**23), ("dx", 2**19 + 2**17), ("csv", 2**19 + 2**17)]
)
def test_a_download_takes_little_memory_however_large_the_map(form: str, points: int) -> None:
    site = Site()
    job = a_large_map((128, 128, points // 128**2), 32)
    offer(site, job)

    place = f"/v1/jobs/{job.id}/points.csv" if form == "csv" else path(job, form)
    response = site.client.get(place, buffered=False)

    assert response.status_code == 200
    assert peak(iter(response.iter_encoded())) < 24


def test_only_a_few_clients_download_large_maps_together() -> None:
    site = Site(gates=narrow_gates())
    job = a_large_map((128, 128, 64), 4)
    offer(site, job)

    first = site.client.get(path(job, "npz"), buffered=False)
    refused = site.client.get(path(job, "npz"))
    first.close()

    assert (first.status_code, refused.status_code) == (200, 503)
    assert site.client.get(path(job, "npz")).status_code == 200  # and not one for ever


# --- maps that were changed after the job was done


def put(site: Site, key: str, data: bytes) -> None:
    """Replace an object, as whoever may write to the bucket can without a policy."""
    site.world.store.objects[key] = data


def a_changed_map(site: Site, job: Job, chunk: int = 0) -> bytes:
    """The map of a chunk with another last value."""
    data = site.world.store.objects[map_object(job.id, job.attempt, chunk)]
    return data[:-8] + np.float64(-12345.0).tobytes()


@pytest.mark.parametrize("form", FORMS)
def test_nothing_of_a_map_that_was_replaced_is_served(site: Site, form: str) -> None:
    job = done(site)
    for chunk in range(job.tasks):
        put(site, map_object(job.id, job.attempt, chunk), a_changed_map(site, job, chunk))

    with site.client.get(path(job, form)) as response:
        assert response.status_code == 500
        assert response.json is not None
        assert response.json["code"] == "damaged"
        assert f"chunk 0 of job {job.id} is damaged" in response.json["detail"]
        assert b"12345" not in response.data


@pytest.mark.parametrize("form", FORMS)
def test_a_map_replaced_together_with_its_digests_is_not_served_either(
    site: Site, form: str
) -> None:
    job = done(site)
    whose = job.id, job.attempt, 0
    changed = a_changed_map(site, job)
    put(site, map_object(*whose), changed)
    put(site, map_digests_object(*whose), block_digests(changed))

    assert site.client.get(path(job, form)).status_code == 500


def test_a_map_beside_one_that_was_planted_is_found_by_its_digest(site: Site) -> None:
    job = done(site)
    whose = job.id, job.attempt, 0
    expected = site.client.get(path(job, "dx")).data
    objects = site.world.store.objects
    true, digests = objects[map_object(*whose)], objects[map_digests_object(*whose)]
    for key, data in (
        (map_object(*whose, digest_of(digests)), true),
        (map_digests_object(*whose, digest_of(digests)), digests),
        (map_object(*whose), b"planted"),
        (map_digests_object(*whose), block_digests(b"planted")),
    ):
        put(site, key, data)

    assert site.client.get(path(job, "dx")).data == expected


def test_a_large_chunk_is_verified_block_by_block_with_each_block_read_once() -> None:
    world = World()
    problem = replace(a_problem(3), grid=Grid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (64, 64, 40)))
    job = world.submit(problem, chunks=4, kind=MAP_KIND)
    maps, total = {}, 0
    for chunk in range(job.tasks):
        shape = grid_view(job).chunking.box(chunk).shape
        values = np.random.default_rng(chunk).normal(size=shape)
        data, whose = float64_header(shape) + values.tobytes(), (job.id, job.attempt, chunk)
        world.store.put_new(map_object(*whose), data, content_type="")
        world.store.put_new(map_digests_object(*whose), block_digests(data), content_type="")
        maps[chunk] = digest_of(block_digests(data))
        total += len(data)
    known = replace(job, digests=job.with_digests(maps))
    sizes: list[int] = []
    stored = world.store.get_range

    def look(key: str, start: int, length: int) -> bytes | None:
        data = stored(key, start, length)
        sizes.append(len(data or b""))
        return data

    world.store.get_range = look  # type: ignore[method-assign]

    read = np.concatenate(
        [slab.ravel() for slab in map_values(world.store, known, most_points=5000)]
    )

    assert sum(sizes) == total
    assert len(read) == grid_view(job).grid.points
    world.store.objects[map_object(job.id, job.attempt, 3)] = b"x" * 400_000
    with pytest.raises(InvalidMessage, match=r"chunk 3 .* damaged or was replaced"):
        deque(map_values(world.store, known, most_points=5000), maxlen=0)


# --- maps that contradict the answer of their job


def a_lie(site: Site, change: Callable[[np.ndarray, Job], None]) -> Job:
    """A done job whose workers sent true results, and a changed map with its true digests."""
    world = site.world
    job = world.submit(read_fields(BODY).problem, chunks=8, kind=MAP_KIND)
    problem = problem_of(a_service(world), job)
    assert problem is not None
    values = np.array(true_map(problem, problem.grid.box))
    change(values, replace(job, result=a_register(true_minimum(problem))))
    world.keep_map(job, problem, values)
    site.finish(job)
    return world.job(job)


def at_answer(value: float) -> Callable[[np.ndarray, Job], None]:
    def change(values: np.ndarray, job: Job) -> None:
        least = grid_view(job).result
        assert least is not None
        values.reshape(-1)[least.index] = value

    return change


def elsewhere(value: float, *, index: int = 0) -> Callable[[np.ndarray, Job], None]:
    def change(values: np.ndarray, _job: Job) -> None:
        values.reshape(-1)[index] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        at_answer(math.nan),
        at_answer(math.inf),
        at_answer(-1e9),
        at_answer(0.0),
        elsewhere(-1e9),
        elsewhere(-math.inf),
    ],
)
@pytest.mark.parametrize("form", [*FORMS, "csv"])
def test_a_map_that_contradicts_the_answer_is_refused_as_damaged(
    site: Site, form: str, change: Callable[[np.ndarray, Job], None]
) -> None:
    job = a_lie(site, change)
    assert job.state is JobState.DONE
    address = f"/v1/jobs/{job.id}/points.csv" if form == "csv" else path(job, form)

    response = site.client.get(address)

    assert response.status_code == 500
    assert response.json is not None
    assert response.json["code"] == "damaged"
    assert "contradicts its answer" in response.json["detail"]
    assert site.client.head(address).status_code == 500


def test_nothing_of_a_slab_that_contradicts_the_answer_is_read(site: Site) -> None:
    job = a_lie(site, elsewhere(-4.0, index=-1))
    slabs = map_values(site.world.store, job, most_points=35)

    assert sum(slab.size for slab in itertools.islice(slabs, 3)) == 105
    with pytest.raises(InvalidMessage, match="at point 139, and the answer is"):
        next(slabs)


@given(st.floats(-1, 1), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_values_within_a_maps_rounding_do_not_contradict_the_answer(
    share: float, atoms: int, seed: int
) -> None:
    problem = a_problem(4, atoms=atoms, seed=seed)
    best = true_minimum(problem)
    assert best is not None
    job = replace(a_job(problem, kind=MAP_KIND), state=JobState.DONE, result=register_of(best))
    values = np.array(true_map(problem, problem.grid.box))
    distances = np.linalg.norm(problem.atoms.positions - problem.grid.point(best.index), axis=1)
    bound = 2 * (atoms + 8) * 2.0**-53 * np.sum(np.abs(problem.atoms.energies) / distances)
    values.reshape(-1)[best.index] += share * bound * 0.9

    MapCheck(job, lambda: problem).check_slab(0, values)

    values.reshape(-1)[best.index] = best.value + (2.1 + share) * max(bound, abs(best.value) / 1e9)
    with pytest.raises(InvalidMessage, match="contradicts its answer"):
        MapCheck(job, lambda: problem).check_slab(0, values)


def test_a_value_that_only_a_problem_that_is_gone_could_judge_is_gone_too(site: Site) -> None:
    job = a_lie(site, at_answer(0.0))
    site.world.store.objects.pop(problem_object(job.spec))

    assert code(site, job, "npz") == (410, "gone")
