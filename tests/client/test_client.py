"""The client against the real web application on memory doubles, over real HTTP."""

from __future__ import annotations

import dataclasses
import itertools
import json
import subprocess
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, cast
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from werkzeug.wrappers import Response

import gridwell
from gridwell.client import (
    Client,
    GridJob,
    GridStatus,
    JobCancelled,
    JobFailed,
    JobTimeout,
    KeyRefused,
    NoSuchJob,
    Unreachable,
)
from gridwell.client.events import ServerEvent, moved, read_events
from gridwell.client.grid.picture import DRAWN_ATOMS, draw
from gridwell.client.notebook_html import job_html
from gridwell.engine.errors import (
    InvalidJob,
    InvalidMessage,
    ServiceBusy,
    ServiceError,
    WrongState,
)
from gridwell.engine.job import CHUNK_FAILED, JobError
from gridwell.engine.ports import Depth
from gridwell.fleet.model import FleetView, InstanceView
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.formats import xyz_atoms
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.job_view import grid_view
from tests.harness.builders import NOW, a_problem
from tests.harness.served_app import Served, serving
from tests.harness.waiting import DEADLINE
from tests.harness.web_http import Site

if TYPE_CHECKING:
    from pathlib import Path

    from gridwell.client.grid.request import JobRequest

SMALL: JobRequest = {"grid_size": 4, "atom_count": 5, "seed": 1}
IONS: JobRequest = {**SMALL, "place": {"count": 3, "energy": 1}}
MISSING = "0123456789abcdef" * 2
ROWS = [[0.1, 0.2, 0.3, -0.5], [1.5, 1.0, 2.0, 0.1 + 0.2]]


def test_a_submitted_job_is_computed_and_keeps_every_bit(served: Served, client: Client) -> None:
    job = client.submit(**SMALL)
    served.finish(job.id)

    result = job.wait(timeout=DEADLINE)

    stored = served.site.world.ledger.read(job.id)
    assert stored is not None
    least = grid_view(stored).result
    assert least is not None
    assert result.minimum.hex() == least.value.hex()
    assert result.index == grid_view(stored).grid.triple(least.index)
    assert result.point == grid_view(stored).grid.point(least.index)
    assert (job.result, job.status.done, job.status.workers) == (result, True, ("worker-1",))


def test_an_equal_request_joins_the_same_job(client: Client) -> None:
    assert client.submit(**SMALL).id == client.submit(**SMALL).id


def test_a_grid_and_an_array_of_atoms_arrive_as_they_are(client: Client) -> None:
    grid = Grid((0.5, 0.0, -1.0), (0.25, 1.0, 2.0), (2, 3, 4))

    job = client.submit(grid=grid, atoms=np.array(ROWS), softening=0.5)

    status = job.status
    assert (status.origin, status.spacing, status.shape) == (
        grid.origin,
        grid.spacing,
        grid.shape,
    )
    assert (status.softening, status.atom_count, status.seed) == (0.5, 2, None)
    assert job.atoms().tolist() == ROWS


def test_atoms_may_be_those_of_a_file(client: Client, tmp_path: Path) -> None:
    (tmp_path / "atoms.xyz").write_bytes(b"".join(xyz_atoms(Atoms.from_rows(ROWS))))

    from_file = client.submit(grid_size=3, atoms=tmp_path / "atoms.xyz")

    assert from_file.atoms().tolist() == ROWS
    assert from_file.id == client.submit(grid_size=3, atoms=Atoms.from_rows(ROWS)).id


def test_what_was_left_out_of_a_file_of_atoms_is_warned_of(client: Client, tmp_path: Path) -> None:
    (tmp_path / "two.xyz").write_text("1\n\nO 0 0 0 1\n" * 2)

    with pytest.warns(UserWarning, match="two.xyz: 2 lines after the first frame") as warned:
        client.submit(grid_size=3, atoms=tmp_path / "two.xyz")

    assert warned[0].filename == __file__


def test_a_faulty_file_of_atoms_is_refused_by_its_line_and_not_sent(
    served: Served, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "atoms.xyz").write_text("1\n\nO 0 0 zero 1\n")

    with pytest.raises(InvalidJob, match=r"atoms.xyz: line 3: z is 'zero'"):
        client.submit(grid_size=3, atoms=tmp_path / "atoms.xyz")
    assert not served.requests


def test_numbers_and_arrays_of_numpy_are_as_good_as_pythons_own(client: Client) -> None:
    whole = np.int64(3)
    grid = {"origin": np.zeros(3), "spacing": np.ones(3), "shape": np.array([3, 3, 3])}
    place = {"count": whole, "energy": np.int8(1)}

    ours = client.submit(
        grid=grid, atom_count=cast("int", whole), softening=np.float32(0.5).item(), place=place
    )
    plain = {"origin": [0, 0, 0], "spacing": (1, 1, 1), "shape": [3, 3, 3]}
    theirs = client.submit(grid=plain, atom_count=3, softening=0.5, place={"count": 3, "energy": 1})

    assert ours.id == theirs.id
    assert (
        client.submit(grid_size=3, atoms=ROWS).id
        == client.submit(grid_size=3, atoms=np.array(ROWS)).id
    )


@pytest.mark.parametrize(
    ("atoms", "words"),
    [
        ([[0, 0, 0, 1], [1, 1, 1]], r"/atoms/1: \[1, 1, 1\] is not \[x, y, z, energy\]"),
        ([["a", 0, 0, 1]], '/atoms/0/0: "a" is not a number'),
        ([[0.0, 0.0, float("nan"), 1.0]], "/atoms/0/2: nan is not a finite number"),
        (np.full((1, 4), -np.inf), "/atoms/0/3: -inf is not a finite number"),
        ([], "/atoms: there are no atoms; give at least one"),
    ],
)
def test_atoms_that_are_none_are_told_by_their_place(
    client: Client, atoms: Any, words: str
) -> None:
    with pytest.raises(InvalidJob, match=words):
        client.submit(grid_size=3, atoms=atoms)


def test_without_a_url_the_environments_is_used_and_its_key_goes_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GRIDWELL_URL", raising=False)
    monkeypatch.setenv("GRIDWELL_KEY", f"gw_{'0' * 12}_{'A' * 43}")
    assert repr(Client()) == "<Client http://127.0.0.1:8080>"
    assert Client()._transport._auth is not None
    assert Client("http://127.0.0.1:8080")._transport._auth is None

    monkeypatch.setenv("GRIDWELL_URL", "https://elsewhere:81/")
    assert Client().url == "https://elsewhere:81"
    with pytest.raises(ValueError, match="8080 is not the URL of a service"):
        Client(cast("str", 8080))


@pytest.mark.parametrize("limit", [-1, 2.5])
def test_a_limit_that_is_none_is_told(client: Client, limit: Any) -> None:
    with pytest.raises(ValueError, match=f"limit is {limit}; give a whole number of jobs"):
        client.jobs(limit)


def test_a_file_that_cannot_be_written_is_named_as_it_was_asked_for(
    served: Served, client: Client, tmp_path: Path
) -> None:
    job = client.job(served.done().id)

    with pytest.raises(FileNotFoundError, match=r"No such file or directory: '.*/no/record.json'"):
        job.download("record", tmp_path / "no" / "record.json")
    with pytest.raises(IsADirectoryError, match=f"Is a directory: '{tmp_path}'"):
        job.download("record", tmp_path)
    assert not [*tmp_path.parent.glob("*.part"), *tmp_path.iterdir()]


def test_the_picture_of_a_job_has_its_atoms_its_box_and_its_points(
    served: Served, client: Client
) -> None:
    job = client.submit(grid_size=4, atoms=ROWS, place={"count": 3, "energy": 1})
    before = job.picture().svg
    served.finish(job.id)
    job.wait(timeout=DEADLINE)
    picture = job.picture()

    shapes = Counter(child.tag.split("}")[1] for child in ET.fromstring(picture.svg))  # noqa: S314 - our own
    assert shapes == {"title": 1, "line": 12, "circle": 2 + 3, "text": 3}
    assert [word in picture.svg for word in ("#2166ac", "#d6604d", "#f5b800")] == [True] * 3
    assert "#f5b800" not in before
    assert picture._repr_svg_() == picture.svg == job.picture().svg
    many = np.random.default_rng(1).uniform(-1, 1, (DRAWN_ATOMS + 50, 4))
    assert draw(job.status, many).svg.count("<circle") == DRAWN_ATOMS + 3


def test_a_wait_is_held_by_the_service(served: Served, client: Client) -> None:
    job = client.submit(**SMALL)
    held = threading.Event()

    def finish_when_held(_: Served) -> None:
        held.set()

    def work() -> None:
        held.wait(10)
        served.finish(job.id)

    served.before = finish_when_held
    worker = threading.Thread(target=work)
    worker.start()

    job.wait(timeout=DEADLINE)

    worker.join()
    assert served.requests[1:] == [("GET", f"/v1/jobs/{job.id}?", "wait=30")]


def test_a_submission_can_wait_too(served: Served, client: Client) -> None:
    served.done()

    job = client.submit(wait=100, **SMALL)

    assert job.status.done
    assert served.requests == [("POST", "/v1/jobs?", "wait=30")]


def test_a_cancelled_job_says_so_to_whoever_waits(client: Client) -> None:
    job = client.submit(**SMALL)

    assert job.cancel().state == "cancelled"
    assert client.job(job.id).cancel().state == "cancelled"
    with pytest.raises(JobCancelled, match=f"job {job.id} was cancelled; submit it again"):
        job.wait(timeout=DEADLINE)


def test_a_done_job_is_not_cancelled(served: Served, client: Client) -> None:
    job = client.job(served.done().id)

    with pytest.raises(WrongState, match="is done already"):
        job.cancel()


def test_progress_is_told_until_the_end(served: Served, client: Client) -> None:
    job = client.submit(**SMALL)
    seen: list[GridStatus] = []

    def on_progress(status: GridStatus) -> None:
        seen.append(status)
        if len(seen) == 1:
            served.finish(job.id)

    job.wait(timeout=DEADLINE, progress=on_progress)

    assert [(status.state, status.points_done) for status in seen] == [("queued", 0), ("done", 64)]


def test_steps_come_by_one_stream_and_not_by_asking_again(served: Served, client: Client) -> None:
    problem = a_problem()
    stored = served.site.world.submit(problem, chunks=4)
    job = client.job(stored.id)
    seen: list[GridStatus] = []
    chunks = iter(range(stored.tasks))

    for status in job.events(timeout=DEADLINE):
        seen.append(status)
        if (chunk := next(chunks, None)) is not None:
            served.site.world.answer(stored, problem, [chunk])
            served.site.world.collector().step()

    assert job.status.done
    assert seen[-1] == job.status
    points = [status.points_done for status in seen]
    assert points == sorted(points)
    assert len(set(points)) > 2
    assert seen[1].fields["chunks"]["done"] == seen[1].chunks_done
    assert [path for _, path, _ in served.requests[1:]] == [
        f"/v1/jobs/{job.id}/events?",
        f"/v1/jobs/{job.id}?",
    ]


def test_points_of_a_series_that_were_seen_are_not_taken_back(
    served: Served, client: Client
) -> None:
    job = client.submit(**IONS)
    ledger = served.site.world.ledger
    stored = ledger.read(job.id)
    assert stored is not None
    assert (job.status.points_found, job.status.points_wanted, job.status.ions) == (0, 3, True)
    ledger.report_progress(job.id, stored.attempt, 2, now=NOW)
    assert job.refresh().points_found == 2
    assert "ion 3 of 3" in job._repr_html_()

    ledger._told.clear()  # another server that knows of none
    assert job.refresh().points_found == 2
    event = {"state": "running", "points_done": 0, "finished": [], "series": {"found": 1}}
    assert moved(job.status, ServerEvent("progress", json.dumps(event))).points_found == 2
    served.finish(job.id)
    assert job.refresh().points_found == len(job.points) == 3


def test_the_points_of_a_series_are_steps(served: Served, client: Client) -> None:
    job = client.submit(**IONS)
    stored = served.site.world.ledger.read(job.id)
    assert stored is not None
    seen: list[tuple[str, int]] = []

    for status in job.events(timeout=20):
        seen.append((status.state, status.points_found))
        if status.points_found == 2:
            served.finish(job.id)
        else:
            served.site.world.ledger.report_progress(
                job.id, stored.attempt, status.points_found + 1, now=NOW
            )

    assert [*dict.fromkeys(seen)] == [("queued", 0), ("running", 1), ("running", 2), ("done", 3)]


@pytest.mark.parametrize(
    "trouble",
    [
        Response('{"detail": "too many streams"}', 503, {"Retry-After": "30"}),
        Response("no such page", 200, content_type="text/html"),
        Response('event: progress\ndata: {"x": 1}\n\n', 200, content_type="text/event-stream"),
        Response("", 200, content_type="text/event-stream"),
    ],
)
def test_without_a_stream_the_job_is_asked_for_instead(
    served: Served, client: Client, trouble: Response
) -> None:
    job = client.submit(**SMALL)

    def no_stream(running: Served) -> None:
        if running.requests[-1][1].endswith("/events?"):
            running.troubles.append(trouble)
        elif len(running.requests) > 4:
            running.before = None
            running.finish(job.id)

    served.before = no_stream
    job.wait(timeout=DEADLINE, progress=lambda _: None)

    assert job.status.done
    assert sum(path.endswith("/events?") for _, path, _ in served.requests) == 1


def test_events_are_read_as_the_standard_says() -> None:
    text = ["retry: 1", ": hi", "id: 7", "event: progress", "data: a", "data:b", "", "data: cut"]

    assert list(read_events(text)) == [
        ServerEvent(),
        ServerEvent("progress", "a\nb", "7"),
    ]


def test_notebooks_show_jobs_and_results_with_every_text_escaped(
    served: Served, client: Client
) -> None:
    job = client.job(served.done().id)
    evil = dataclasses.replace(
        job.status, state="<script>", error=JobError("<b>", "&"), links={"page": '"><x>'}
    )

    assert job.result is not None
    assert repr(job.result.minimum) in job.result._repr_html_()
    assert f'href="{served.url}/jobs/{job.id}"' in job._repr_html_()
    shown = job_html(evil, url="http://x")
    assert "&lt;script&gt;" in shown
    assert "&lt;b&gt;: &amp;" in shown
    assert "<script>" not in shown
    assert '"><x>' not in shown


def test_a_job_that_does_not_end_in_time_is_told_from_a_failed_one() -> None:
    # No room to wait, so the service turns us away at once.
    with serving(Site(capacity=0)) as served, Client(served.url) as client:
        job = client.submit(**SMALL)

        with pytest.raises(JobTimeout, match="at 0 / 64 points; it goes on"):
            job.wait(timeout=0.05)
        with pytest.raises(JobTimeout, match="is queued after"):
            job.wait(timeout=0.05, progress=lambda _: None)


def test_a_failed_job_says_why(served: Served, client: Client) -> None:
    job = client.submit(**SMALL)
    world = served.site.world
    stored = world.ledger.read(job.id)
    assert stored is not None
    error = JobError(CHUNK_FAILED, "chunk 0 failed ten times")
    world.finisher().fail(stored, error)

    with pytest.raises(JobFailed, match="chunk 0 failed ten times") as caught:
        job.wait(timeout=DEADLINE)

    assert (caught.value.code, caught.value.status.error) == (CHUNK_FAILED, error)
    assert job.result is None


def test_a_record_is_there_when_the_job_is_done(served: Served, client: Client) -> None:
    stored = served.done()

    job = client.job(stored.id)
    assert isinstance(job, GridJob)
    record = job.record()

    assert stored.result is not None
    assert record["Atom count"] == grid_view(stored).atom_count


def test_a_kept_map_is_read_as_arrays_and_stored_as_files(
    served: Served, client: Client, tmp_path: Path
) -> None:
    job = client.submit(grid_size=4, atom_count=5, seed=1, keep_grid=True)
    with pytest.raises(WrongState, match="only a done job has its whole map"):
        job.grid()
    served.finish(job.id)
    result = job.wait(timeout=DEADLINE)

    grid = job.grid()
    stored = job.download("grid.dx", tmp_path / "grid.dx")

    assert grid.potential.shape == (4, 4, 4)
    assert np.nanmin(grid.potential) == grid.potential[result.index] == result.minimum
    assert (grid.origin.tolist(), grid.spacing.tolist()) == ([0, 0, 0], [1, 1, 1])
    assert stored.read_bytes() == served.site.client.get(f"/v1/jobs/{job.id}/grid.dx").data
    assert job.download("record", str(tmp_path / "record.json")).exists()
    assert {path.name for path in tmp_path.iterdir()} == {"grid.dx", "record.json"}


def test_a_file_that_cannot_be_had_leaves_what_was_there(
    served: Served, client: Client, tmp_path: Path
) -> None:
    job = client.job(served.done().id)
    path = tmp_path / "grid.npz"
    path.write_text("mine")

    with pytest.raises(WrongState, match="keep_grid"):
        job.download("grid.npz", path)
    served.troubles = [Response([b"half"], headers={"Content-Length": "100"})]
    with pytest.raises(Unreachable, match="broke off in the middle"):
        job.download("grid.npz", path)

    assert [each.name for each in tmp_path.iterdir()] == ["grid.npz"]
    assert path.read_text() == "mine"


def test_jobs_are_read_page_after_page(served: Served, client: Client) -> None:
    for seed in range(102):
        served.site.post({"grid_size": 2, "atom_count": 1, "seed": seed})

    assert len({job.id for job in client.jobs()}) == 102
    assert len(list(client.jobs(limit=3))) == 3
    assert len(list(itertools.islice(client.jobs(), 5))) == 5


def test_the_fleet_is_read(served: Served, client: Client) -> None:
    before = client.fleet()
    instances = (
        InstanceView(id="i-1", state="running", slot=0, since=NOW, busy=1, chunks=7),
        InstanceView(id="i-2", state="pending", slot=1, since=None),
    )
    queue = Depth(visible=2, in_flight=1)
    served.site.world.ledger.write_view(
        FleetView(at=NOW, instances=instances, queue=queue, cap=4, decisions=())
    )

    fleet = client.fleet()

    assert (before.at, before.instances, before.running) == (None, (), 0)
    assert (fleet.visible, fleet.in_flight, fleet.cap, fleet.running) == (2, 1, 4, 1)
    assert [(one.id, one.state, one.busy) for one in fleet.instances] == [
        ("i-1", "running", 1),
        ("i-2", "pending", None),
    ]
    assert fleet.at is not None
    assert fleet.at.timestamp() == NOW


def test_all_faults_of_a_request_come_with_their_pointers(client: Client) -> None:
    with pytest.raises(InvalidJob) as caught:
        client.submit(grid_size=0, atom_count=5, softening=-1.0)

    assert [fault.pointer for fault in caught.value.faults] == ["/softening", "/grid_size"]


def test_what_json_cannot_hold_is_a_fault_of_the_request(served: Served, client: Client) -> None:
    with pytest.raises(InvalidJob, match="nan is not a finite number"):
        client.submit(grid_size=2, atoms=[[0.0, 0.0, float("nan"), 1.0]])

    assert not served.requests


def test_a_job_that_nobody_knows_is_told_so(client: Client) -> None:
    with pytest.raises(NoSuchJob, match=MISSING):
        client.job(MISSING)


@pytest.mark.parametrize("status", [429, 503])
def test_a_request_to_try_again_is_followed(served: Served, client: Client, status: int) -> None:
    served.troubles = [Response(status=status, headers={"Retry-After": "0"})] * 2

    assert client.submit(**SMALL).status.state == "queued"

    assert [method for method, *_ in served.requests] == ["POST"] * 3


@pytest.mark.parametrize(
    ("status", "error"),
    [(503, ServiceBusy), (403, KeyRefused), (500, ServiceError)],
)
def test_a_service_that_goes_on_refusing_is_an_error_of_its_kind(
    served: Served, client: Client, status: int, error: type[ServiceError]
) -> None:
    body = json.dumps({"detail": "the dog ate it"})
    served.troubles = [Response(body, status, headers={"Retry-After": "0"})] * 3

    with pytest.raises(error, match=f"answers {status}: the dog ate it") as caught:
        client.fleet()

    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("<h1>It works!</h1>", "not JSON"),
        ("{}", "not a job.*KeyError.*'grid'"),
        ("[]", "not a job"),
        ("null", "not a job"),
    ],
)
def test_an_answer_of_something_else_is_told_from_a_job(
    served: Served, client: Client, body: str, words: str
) -> None:
    served.troubles = [Response(body)]

    with pytest.raises(InvalidMessage, match=words):
        client.job(MISSING)


def test_fields_and_states_yet_to_come_do_no_harm(served: Served, client: Client) -> None:
    job = served.site.post(dict(SMALL)).json
    assert job is not None
    changed = job | {"state": "cancelled", "mood": "sad", "grid": job["grid"] | {"periodic": 1}}
    served.troubles = [Response(json.dumps(changed))]

    later = client.job(job["id"])

    assert (later.status.state, later.status.ended, later.status.done) == ("cancelled", True, False)
    assert later.status.fields["mood"] == "sad"
    with pytest.raises(JobFailed, match="was cancelled"):
        later.wait()


def test_nobody_at_the_url_is_told_with_the_url() -> None:
    with serving() as served:
        url = served.url

    with Client(url, retries=0) as client, pytest.raises(Unreachable, match=url):
        client.fleet()


def test_a_proxy_for_the_world_is_not_asked_for_this_machine(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    with Client(served.url, retries=0) as client:
        assert client.fleet().at is None


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://host", "http://"])
def test_a_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="give http://host:port"):
        Client(url)


def test_each_thread_has_connections_of_its_own(served: Served, client: Client) -> None:
    wrong: list[BaseException] = []

    def look() -> None:
        try:
            for _ in range(5):
                client.fleet()
        except BaseException as error:  # noqa: BLE001 - told below
            wrong.append(error)

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong
    assert len(served.requests) == 40


def test_importing_gridwell_imports_no_http_client() -> None:
    code = "import gridwell, sys; print('requests' in sys.modules, gridwell.Client.__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE,
    )

    assert done.stdout.split() == ["False", "Client"]


def test_gridwell_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="Clint"):
        _ = gridwell.Clint


def test_ions_are_placed_and_read_in_their_order(served: Served, client: Client) -> None:
    asked: JobRequest = {**SMALL, "place": {"count": 3, "energy": -1, "min_separation": 1.5}}
    job = client.submit(**asked)
    assert not job.points
    served.finish(job.id)
    job.wait(timeout=DEADLINE)

    stored = served.site.world.ledger.read(job.id)
    assert stored is not None
    assert [point.energy for point in job.points] == [
        found.value for found in grid_view(stored).points
    ]
    assert [point.value for point in job.points] == [
        -found.value for found in grid_view(stored).points
    ]
    assert [point.point for point in job.points] == [
        grid_view(stored).grid.point(found.index) for found in grid_view(stored).points
    ]
    assert job.status.points_wanted == 3
