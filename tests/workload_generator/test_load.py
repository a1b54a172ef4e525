"""The command against the real web tier behind a socket."""

from __future__ import annotations

import json
import math
import os
import pty
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from tests.harness.waiting import DEADLINE, await_true
from workload_generator.cli import main
from workload_generator.service import ServiceClient

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.workload_generator.live_service import Live

SMALL = ("--requests=20", "--concurrency=8", "--grid-size=2,3,4", "--atoms=1,5,10")


def load(live: Live, *options: str) -> Result:
    return CliRunner().invoke(main, [f"--url={live.url}", *SMALL, *options])


def report_of(result: Result) -> dict[str, Any]:
    report = json.loads(result.stdout)
    assert isinstance(report, dict)
    return report


def test_every_answer_of_a_right_service_is_verified(live: Live, tmp_path: Path) -> None:
    live.show_fleet("running", "pending", "stopped", "shutting-down")
    file = tmp_path / "report.json"

    result = load(live, f"--json={file}")

    assert result.exit_code == 0, result.output
    report = json.loads(file.read_text())
    assert (report["requests"], report["verified"]) == (20, 20)
    assert (report["from_cache"], report["largest_fleet"]) == (0, 2)
    assert 0 < report["latency_seconds"]["p50"] <= report["latency_seconds"]["p99"]
    assert report["latency_seconds"]["p99"] <= report["seconds"]
    assert report["jobs_per_second"] == 20 / report["seconds"]
    assert "verified" in result.stdout
    assert "answered: 20 of 20" in result.stderr
    assert sorted(len(body) for body in live.posts) == [2] * 18 + [4] * 2


def test_a_run_repeated_by_its_printed_offset_comes_from_the_cache(live: Live) -> None:
    first = report_of(load(live, "--json=-"))

    again = report_of(load(live, "--json=-", f"--offset={first['offset']}"))
    fresh = report_of(load(live, "--json=-"))

    assert (again["verified"], again["from_cache"]) == (20, 20)
    assert (fresh["verified"], fresh["from_cache"]) == (20, 0)


def shift(job: dict[str, Any]) -> None:
    if job["result"]:
        job["result"]["minimum"] = math.nextafter(job["result"]["minimum"], 9)


def move(job: dict[str, Any]) -> None:
    if job["result"]:
        job["result"]["index"][0] += 1


def forget(job: dict[str, Any]) -> None:
    job["result"] = None


def fail(job: dict[str, Any]) -> None:
    job |= {"state": "failed", "result": None, "error": {"code": "chunk_failed", "detail": "x"}}


def lose_clock(job: dict[str, Any]) -> None:
    if job["finished"]:
        job["finished"] = "yesterday"


def rename_state(job: dict[str, Any]) -> None:
    del job["state"]


@pytest.mark.parametrize(
    ("lie", "worth", "kind"),
    [
        (shift, "wrong", "wrong_answer"),
        (move, "wrong", "wrong_answer"),
        (forget, "missing", "no_result"),
        (fail, "failed", "chunk_failed"),
        (lose_clock, "missing", "ServiceError"),
        (rename_state, "missing", "ServiceError"),
    ],
)
def test_a_service_that_errs_is_found_out(live: Live, lie: Any, worth: str, kind: str) -> None:
    live.lie = lie

    result = load(live, "--json=-", "--requests=4")

    assert result.exit_code == 1
    report = report_of(result)
    assert (report[worth], report["errors"]) == (4, {kind: 4})


def test_a_record_that_does_not_fit_its_job_is_found_out(live: Live) -> None:
    live.lie_of_record = lambda record: record["Atom values"].pop()

    report = report_of(load(live, "--json=-"))

    assert (report["verified"], report["wrong"]) == (18, 2)


def test_a_busy_service_is_asked_again(live: Live) -> None:
    with ServiceClient(live.url) as service:
        live.busy = 3
        service.check()

    assert live.busy == 0


def test_answers_that_do_not_come_in_time_are_missing(live: Live) -> None:
    live.working = False

    report = report_of(load(live, "--json=-", "--requests=1", "--timeout=0.5"))

    assert (report["missing"], report["errors"]) == (1, {"timeout": 1})


def test_a_request_that_the_service_refuses_has_failed(live: Live) -> None:
    live.site.app.before_request_funcs.setdefault(None, []).append(_refuse_jobs)

    report = report_of(load(live, "--json=-", "--requests=3"))

    assert (report["failed"], report["errors"]) == (3, {"forbidden": 3})


def _refuse_jobs() -> None:
    from flask import abort, request  # noqa: PLC0415

    if request.method == "POST":
        abort(403)


def test_an_address_where_nobody_listens_ends_with_status_3() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

        result = CliRunner().invoke(main, ["--url", url])

    assert result.exit_code == 3
    assert url in result.stderr
    assert "make up" in result.stderr


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("--grid-size=4,x", "'x'"),
        ("--grid-size=1", "'1'"),
        ("--grid-size=", "''"),
        ("--grid-size=4,,8", "''"),
        ("--atoms=0", "'0'"),
        ("--atoms=-5", "'-5'"),
        ("--atoms=²", "'²'"),
        ("--requests=0", "0"),
        ("--energies=odd", "odd"),
        ("--json=/nowhere/at/all.json", "/nowhere/at/all.json"),
    ],
)
def test_wrong_usage_ends_with_status_2_and_names_the_value(option: str, named: str) -> None:
    result = CliRunner().invoke(main, [option])

    assert result.exit_code == 2
    assert named in result.stderr


def test_what_brute_force_cannot_verify_is_not_begun() -> None:
    result = CliRunner().invoke(main, ["--grid-size=1000", "--atoms=1000"])

    assert result.exit_code == 2
    assert "--grid-size" in result.stderr


def test_on_a_terminal_a_bar_is_drawn_and_elsewhere_plain_lines(live: Live) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "workload_generator", f"--url={live.url}", *SMALL]
    try:
        ended = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=theirs, check=False, timeout=DEADLINE
        )
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)

    assert ended.returncode == 0
    assert b"verified" in ended.stdout
    assert "20/20" in shown
    assert "━" in shown


def test_an_interrupted_run_ends_at_once_with_status_130(live: Live) -> None:
    live.working = False
    command = [sys.executable, "-m", "workload_generator", f"--url={live.url}", *SMALL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        await_true(lambda: live.posts)

        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=DEADLINE)

    assert live.posts
    assert process.returncode == 130
    assert b"interrupted" in told
    assert b"Traceback" not in told
