"""Jobs of any kind through the client, on a terminal and in a notebook."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from rich.console import Console

from gridwell.cli import main
from gridwell.client import Client, GridJob, GridStatus, Job, JobCancelled, JobStatus
from gridwell.client.events import ServerEvent, moved
from gridwell.engine.errors import InvalidJob, InvalidMessage
from gridwell.engine.register import Best
from gridwell.terminal import answer_lines, job_line
from gridwell.terminal.progress_bar import PlainBar
from tests.harness.nap_kind import NAP, site_with_naps
from tests.harness.served_app import Served, serving
from tests.harness.web_http import SMALL

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(site_with_naps()) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    with Client(served.url, retries=2) as made:
        yield made


def finish(served: Served, job_id: str, *, tasks: int = 4) -> None:
    """Let some tasks of a nap be done: with all of them it ends."""
    ledger = served.site.world.ledger
    job = ledger.read(job_id)
    assert job is not None
    now = served.site.world.clock.now()
    for task in range(tasks):
        ledger.merge(job.id, job.attempt, frozenset({task}), Best("0"), worker="i-1", now=now)
    assert ledger.finish(job.id, job.attempt, Best("0"), now=now) is (tasks == job.tasks)


def test_a_job_of_any_kind_is_submitted_by_name(served: Served, client: Client) -> None:
    job = client.submit(kind=NAP, seconds=0.5)

    assert type(job) is Job
    assert (job.status.kind, job.status.state, job.result) == (NAP, "queued", None)
    assert job.status.measure == (0, 4, "0 / 4 tasks")
    finish(served, job.id)
    assert job.wait(timeout=10) == {"seconds": 0.5, "note": "<b>"}
    assert job.status.measure == (4, 4, "4 / 4 tasks")
    assert job.status.done


def test_faults_of_a_kind_reach_the_caller(client: Client) -> None:
    with pytest.raises(InvalidJob, match="give a number of seconds"):
        client.submit(kind=NAP)
    with pytest.raises(InvalidJob, match="is no kind of job; give one of map, minimum, nap"):
        client.submit(kind="dig")


def test_a_cancelled_job_of_any_kind_raises_where_it_is_awaited(client: Client) -> None:
    job = client.submit(kind=NAP, seconds=0.5)

    job.cancel()

    with pytest.raises(JobCancelled):
        job.wait(timeout=10)


def test_a_grid_kind_keeps_its_own_class(client: Client) -> None:
    client.submit(kind=NAP, seconds=0.5)

    job = client.submit(kind="minimum", **SMALL)

    assert isinstance(job, GridJob)
    assert job.status.kind == "minimum"
    assert client.submit(**SMALL).id == job.id
    assert {type(each) for each in client.jobs()} == {Job, GridJob}


def test_steps_of_any_kind_move_its_tasks(client: Client) -> None:
    status = client.submit(kind=NAP, seconds=0.5).status
    event = {"state": "running", "tasks_done": 3, "tasks_total": 4}

    later = moved(status, ServerEvent("progress", json.dumps(event)))

    assert (later.state, later.measure.done) == ("running", 3)
    assert later.fields["progress"]["tasks_done"] == 3
    with pytest.raises(InvalidMessage, match="not an event of a job"):
        moved(status, ServerEvent("progress", "{}"))


def test_each_step_of_a_job_of_any_kind_is_seen(served: Served, client: Client) -> None:
    job = client.submit(kind=NAP, seconds=0.5)
    seen: list[int] = []

    for status in job.events(timeout=60):
        seen.append(status.measure.done)
        finish(served, job.id, tasks=min(len(seen) * 2, 4))

    assert seen == [0, 2, 4]
    assert job.status.done


@pytest.mark.parametrize("field", ["kind", "details", "progress", "id"])
def test_a_job_without_what_all_kinds_have_is_no_job(client: Client, field: str) -> None:
    fields = dict(client.submit(kind=NAP, seconds=0.5).status.fields)
    del fields[field]

    with pytest.raises(InvalidMessage, match="not a job"):
        JobStatus.decode(fields)
    with pytest.raises(InvalidMessage, match="not a job"):
        GridStatus.decode(fields)


def test_a_job_of_any_kind_is_shown_on_a_terminal(served: Served, client: Client) -> None:
    job = client.submit(kind=NAP, seconds=0.5)
    output = io.StringIO()
    bar = PlainBar(Console(file=output, width=200))

    line = job_line(job.status)
    bar.show(job.status, 2)
    finish(served, job.id)
    job.refresh()
    answer = answer_lines(job.status, url=served.url)

    assert line.endswith("queued     nap  0 / 4 tasks")
    assert output.getvalue() == "  0 %  0 / 4 tasks, 2 instances\n"
    assert "kind      nap" in answer
    assert "seconds   0.5" in answer
    assert "tasks     4 of 4" in answer
    assert job_line(job.status).endswith("done       nap  4 / 4 tasks")


def test_a_job_of_any_kind_is_shown_in_a_notebook(served: Served, client: Client) -> None:
    job = client.submit(kind=NAP, seconds=0.5)

    html = job._repr_html_()

    assert "<tr><th>kind</th><td>nap</td></tr>" in html
    assert '<progress max="4" value="0">' in html
    assert "&lt;b&gt;" in html
    assert "<b>" not in html


def test_commands_print_jobs_of_any_kind(served: Served, client: Client) -> None:
    job = client.submit(kind=NAP, seconds=0.5)
    client.submit(**SMALL)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(main, arguments, env={"GRIDWELL_URL": served.url})
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "nap  0 / 4 tasks" in run("result", job.id)
    listed = run("jobs")
    assert "nap  0 / 4 tasks" in listed
    assert "4x4x4 x 5" in listed
    finish(served, job.id)
    assert "kind      nap" in run("watch", job.id)
    assert json.loads(run("result", job.id, "--json"))["kind"] == NAP
