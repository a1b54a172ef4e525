"""What people see: bars, lines of the fleet, answers, and the whole demo."""

from __future__ import annotations

import dataclasses
import io
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from werkzeug.wrappers import Response

from gridwell.client import Client, FleetStatus, GridStatus, Unreachable
from gridwell.engine.job import CHUNK_FAILED, JobError
from gridwell.engine.ports import Depth
from gridwell.fleet.model import FleetView, InstanceView
from gridwell.kinds.grid.job_view import grid_view
from gridwell.terminal import ExitStatus, answer_lines, follow, job_line, run_demo
from gridwell.terminal.fleet_changes import news
from gridwell.terminal.fleet_watch import watching_fleet
from gridwell.terminal.job_text import instance_name
from gridwell.terminal.progress_bar import LiveBar, PlainBar, bar_on, counting
from tests.harness.builders import NOW
from tests.harness.served_app import Served, serving
from tests.harness.waiting import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Iterator

STATES = st.sampled_from(["pending", "running", "stopping", "stopped", "terminated"])
FLEETS = st.dictionaries(st.sampled_from(["i-1", "i-2", "i-3"]), STATES)


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


def a_status(served: Served, **changes: Any) -> GridStatus:
    shown = served.site.post({"grid_size": 10, "atom_count": 5, "seed": 1}).json
    return dataclasses.replace(GridStatus.decode(shown), **changes)


def set_fleet(served: Served, **states: str) -> None:
    instances = tuple(
        InstanceView(id=f"i-{name}", state=state, slot=0, since=NOW)
        for name, state in states.items()
    )
    queue = Depth(visible=0, in_flight=0)
    served.site.world.ledger.write_view(
        FleetView(at=NOW, instances=instances, queue=queue, cap=4, decisions=())
    )


# --- the bars


def plain(statuses: list[GridStatus]) -> list[str]:
    console = Console(file=io.StringIO(), force_terminal=False)
    with bar_on(console) as bar:
        for status in statuses:
            bar.show(status, 2)
    assert isinstance(bar, PlainBar)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_without_a_terminal_each_quarter_is_one_line(served: Served) -> None:
    status = a_status(served)
    running = [
        dataclasses.replace(status, state="running", points_done=points)
        for points in range(0, 1001, 10)
    ]
    done = dataclasses.replace(status, state="done", points_done=1000, chunks_done=1)

    lines = plain([*running, done, done])

    assert [line.split("%")[0].strip() for line in lines] == ["0", "25", "50", "75", "100"]
    assert lines[1] == " 25 %  250 / 1,000 points, 0/1 chunks, 2 instances"


def test_a_quick_job_skips_quarters_and_a_failed_one_never_reaches_the_last(
    served: Served,
) -> None:
    status = a_status(served)
    quick = [status, dataclasses.replace(status, state="done", points_done=1000)]
    failed = [dataclasses.replace(status, state="failed", points_done=1000)]

    assert [line[:3].strip() for line in plain(quick)] == ["0", "100"]
    assert [line[:3].strip() for line in plain(failed)] == ["75"]


def test_on_a_terminal_the_bar_counts_grid_points(served: Served) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=150)
    status = a_status(served, state="running", points_done=250)

    with bar_on(console) as bar:
        bar.show(status, 3)
        bar.say("i-1 running")

    assert isinstance(bar, LiveBar)
    assert isinstance(console.file, io.StringIO)
    written = console.file.getvalue()
    assert "250 / 1,000 points" in written
    assert "0/1 chunks, 3 instances" in written
    assert "i-1 running" in written


def test_a_series_is_measured_by_its_points_and_not_by_those_of_the_grid(served: Served) -> None:
    status = dataclasses.replace(a_status(served), points_wanted=6, ions=True)
    done = dataclasses.replace(status, state="done", points_done=1000, chunks_done=1)
    running = [dataclasses.replace(status, state="running", points_found=n) for n in range(7)]

    lines = plain([status, *running, dataclasses.replace(done, points_found=6)])
    (cut,) = plain([dataclasses.replace(done, points_found=2, result=served_result(served))])

    assert [line.split(", ")[0] for line in lines] == [
        "  0 %  ion 1 of 6",
        " 25 %  ion 3 of 6",
        " 50 %  ion 4 of 6",
        " 75 %  ion 6 of 6",
        "100 %  6 of 6 ions",
    ]
    assert cut.startswith("100 %  2 of 6 ions")
    assert job_line(running[2]).endswith("  ion 3 of 6")
    top = dataclasses.replace(running[2], ions=False)
    assert job_line(top).endswith("  point 3 of 6")


def served_result(served: Served) -> Any:
    shown = served.site.client.get(f"/v1/jobs/{served.done().id}").json
    return GridStatus.decode(shown).result


# --- the fleet


def test_each_change_of_an_instance_is_one_line() -> None:
    before = {"i-1": "pending", "i-2": "running", "i-3": "stopping", "i-4": "running"}
    after = {"i-1": "running", "i-2": "running", "i-4": "stopping", "i-5": "pending"}

    assert news(before, after) == [
        "i-1 running",
        "i-4 stopping",
        "i-5 pending",
        "i-3 terminated",
    ]


def test_an_instance_that_was_never_seen_alive_is_no_news() -> None:
    assert news({}, {"i-1": "terminated"}) == []
    assert news({"i-1": "terminated"}, {}) == []


@given(FLEETS, FLEETS)
def test_telling_the_news_leaves_nothing_untold(
    before: dict[str, str], after: dict[str, str]
) -> None:
    told = dict(line.split() for line in news(before, after))
    known = {name: state for name, state in (before | told).items() if state != "terminated"}

    assert known == {name: state for name, state in after.items() if state != "terminated"}
    assert news(after, after) == []


# --- answers


def test_an_answer_keeps_every_bit_and_names_the_instances(served: Served) -> None:
    stored = served.done()
    shown = json.loads(served.site.client.get(f"/v1/jobs/{stored.id}").data)
    shown["workers"] = ["arn:aws:ec2:us-east-1:123456789012:instance/i-0abc", "worker-1"]
    status = GridStatus.decode(shown)
    least = grid_view(stored).result
    assert least is not None

    lines = dict(line.split(maxsplit=1) for line in answer_lines(status, url="http://h", seconds=2))

    assert float(lines["minimum"]).hex() == least.value.hex()
    assert lines["instances"] == "i-0abc, worker-1"
    assert lines["chunks"] == "1"
    assert lines["time"] == "2.00 s"
    assert lines["page"] == f"http://h/jobs/{stored.id}"
    assert repr(least.value) in job_line(status)


def test_an_answer_from_the_cache_says_that_nobody_worked(served: Served) -> None:
    stored = served.done()
    shown = json.loads(served.site.client.get(f"/v1/jobs/{stored.id}").data)
    shown["workers"] = []

    text = "\n".join(answer_lines(GridStatus.decode(shown), url=""))

    assert "none: the answer was known" in text


def test_only_a_done_job_has_an_answer(served: Served) -> None:
    with pytest.raises(ValueError, match="is queued; only a done job"):
        answer_lines(a_status(served), url="")


def test_a_worker_that_is_no_instance_keeps_its_name() -> None:
    assert instance_name("worker-1") == "worker-1"


# --- the demo


def work_through(served: Served, *, fail: bool = False) -> None:
    """Let the fleet's story go on with each look at it; the job ends with the last scene."""
    scenes = iter([{"a": "pending"}, {"a": "running"}, {"a": "running", "b": "pending"}])
    lock = threading.Lock()

    def before(running: Served) -> None:
        with lock:
            if not running.requests[-1][1].startswith("/v1/fleet"):
                return
            scene = next(scenes, None)
            if scene is not None:
                set_fleet(running, **scene)
                return
            job = running.site.world.ledger.recent("public", limit=1, cursor=None).jobs[0]
            if job.state.terminal:
                return
            if fail:
                running.site.world.finisher().fail(job, JobError(CHUNK_FAILED, "it broke"))
            else:
                running.site.finish(job)

    served.before = before


def test_the_demo_tells_of_each_instance_and_prints_the_answer(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    work_through(served)

    status = run_demo(served.url, grid_size=4, atom_count=5, seed=3)

    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert status == ExitStatus.DONE
    told = [line for line in lines if line.startswith("i-")]
    assert told == ["i-a pending", "i-a running", "i-b pending"]
    assert lines[1].startswith("  0 %  0 / 64 points")
    assert lines[-1].startswith("100 %  64 / 64 points, 1/1 chunks, 1 instances")
    assert out.startswith("minimum   ")
    assert f"page      {served.url}/jobs/" in out


def test_a_failed_demo_says_why_and_ends_with_one(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    work_through(served, fail=True)

    assert run_demo(served.url, grid_size=4, atom_count=5) == ExitStatus.FAILED

    out, err = capsys.readouterr()
    assert "it broke" in err
    assert out == ""


def test_a_fleet_that_cannot_be_read_does_not_end_the_wait(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    with Client(served.url, retries=0) as client:
        job = client.submit(grid_size=4, atom_count=5)

        def break_fleet(running: Served) -> None:
            if running.requests[-1][1].startswith("/v1/fleet"):
                running.troubles = [Response("no", 500)]
                running.before = None
                running.finish(job.id)

        served.before = break_fleet
        result = follow(client, job, timeout=DEADLINE)

    assert result == job.result
    assert "100 %" in capsys.readouterr().err


def test_a_look_at_the_fleet_that_fails_is_skipped(served: Served) -> None:
    seen: list[FleetStatus] = []

    def away() -> FleetStatus:
        raise Unreachable("nothing answers")

    with watching_fleet(away, seen.append):
        pass
    with Client(served.url) as client, watching_fleet(client.fleet, seen.append):
        first = list(seen)

    assert len(first) == 1
    assert first[0].instances == ()


def test_things_are_counted_by_a_line_at_each_quarter() -> None:
    output = io.StringIO()

    with counting("answered", 8, Console(file=output, width=80)) as step:
        for _ in range(8):
            step()

    expected = "".join(f"answered: {done} of 8\n" for done in (2, 4, 6, 8))
    assert output.getvalue() == expected
