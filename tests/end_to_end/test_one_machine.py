"""The main job on real processes: instances boot, compute, answer, and go home."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests

from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.problem import Problem
from gridwell.local_stack.memcached import connect, free_port
from tests.end_to_end.conftest import CAP, ROOT, Stack, start_stack
from tests.end_to_end.processes import Family
from tests.harness.oracle import true_minimum
from tests.harness.waiting import DEADLINE, await_true

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

#: Of the demo job, as `tests.harness.oracle.true_minimum` finds it in some ten seconds.
DEMO_ANSWER = {"minimum   -2.1043295141892497", "index     (3, 19, 8)"}


def ask(stack: Stack, body: dict[str, Any], *, wait: int = 30) -> dict[str, Any]:
    """A job's JSON after it ended, or after as many waits as a slow machine needs."""
    reply = requests.post(
        f"{stack.url}/v1/jobs",
        json=body,
        headers={"Prefer": f"wait={wait}"},
        timeout=DEADLINE,
    )
    reply.raise_for_status()
    job: dict[str, Any] = reply.json()
    for _ in range(3):
        if job["state"] in ("done", "failed"):
            break
        job = requests.get(
            f"{stack.url}/v1/jobs/{job['id']}",
            headers={"Prefer": "wait=30"},
            timeout=DEADLINE,
        ).json()
    return job


def a_long_job(seed: int) -> dict[str, Any]:
    """Ten seconds of one core: with more atoms than points no kernel can skip any."""
    return {"grid_size": 48, "atom_count": 115_000, "seed": seed}


def kill_autoscaler(stack: Stack) -> None:
    """Kill it, and wait until another one runs in its place."""
    (autoscaler,) = stack.family.named("autoscaler")
    os.kill(autoscaler, signal.SIGKILL)
    await_true(lambda: stack.family.named("autoscaler") not in ([], [autoscaler]))


def test_a_job_wakes_an_instance_and_its_answer_is_exact_to_the_last_bit(stack: Stack) -> None:
    stack.await_home()
    rng = np.random.default_rng(5)
    atoms = [[*rng.uniform(-2, 2, 3).tolist(), float(rng.uniform(-1, 1))] for _ in range(30)]
    grid = Grid((-2.0, -2.0, -2.0), (0.5, 0.4, 0.7), (9, 11, 6))

    job = ask(
        stack,
        {
            "grid": {"origin": grid.origin, "spacing": grid.spacing, "shape": grid.shape},
            "atoms": atoms,
            "min_distance": 0.3,
        },
    )

    expected = true_minimum(Problem(grid, Atoms.from_rows(atoms), 0.3))
    assert expected is not None
    assert job["state"] == "done"
    assert job["result"]["minimum"] == expected.value
    assert job["result"]["index"] == list(grid.triple(expected.index))
    assert len(job["workers"]) == 1


def test_the_same_problem_again_is_answered_by_its_post_without_computing(stack: Stack) -> None:
    body = {"grid_size": 16, "atom_count": 1000, "seed": 3}
    first = ask(stack, body)
    assert first["state"] == "done"

    with requests.Session() as session:
        again = [
            session.post(f"{stack.url}/v1/jobs", json=body, timeout=DEADLINE) for _ in range(5)
        ]

    # No header asked to wait, so an answer that had to be computed would be a 202.
    assert [reply.status_code for reply in again] == [200] * 5
    # Of the first run, to the moment of its end: no chunk was sent again.
    assert [reply.json() for reply in again] == [first] * 5


def test_a_large_job_is_shared_by_several_instances_and_its_bar_moves(stack: Stack) -> None:
    job = requests.post(f"{stack.url}/v1/jobs", json=a_long_job(1), timeout=DEADLINE).json()
    seen = set()
    while job["state"] not in ("done", "failed"):
        job = requests.get(f"{stack.url}/v1/jobs/{job['id']}", timeout=DEADLINE).json()
        seen.add(job["progress"]["points_done"])
        time.sleep(0.05)

    assert job["state"] == "done"
    assert job["progress"] == {"points_done": 48**3, "points_total": 48**3}
    assert len(seen) > 2
    assert len(job["workers"]) > 1


def test_a_hundred_mixed_jobs_from_no_instance_at_all_are_all_verified(
    stack: Stack, tmp_path: Path
) -> None:
    stack.await_home()

    told = stack.load(
        tmp_path / "report.json",
        *("--requests=100", "--concurrency=32", "--grid-size=4,8,12,16"),
        *("--atoms=20,50,100,500,1000", "--seed=1"),
    )

    assert told["verified"] == 100
    assert told["largest_fleet"] <= CAP
    stack.await_home()
    assert sum(map(len, stack.fleet().values())) <= CAP


def test_an_instance_that_loses_its_power_costs_time_and_no_answer(stack: Stack) -> None:
    body = a_long_job(9)
    job = requests.post(f"{stack.url}/v1/jobs", json=body, timeout=DEADLINE).json()
    await_true(lambda: bool(stack.fleet().get("running")))
    victim = stack.fleet()["running"][0]
    pid = int((stack.state.path / "instances" / victim / "pid").read_text())

    subprocess.run(["kill", "-KILL", str(pid)], check=True)

    def ended() -> bool:
        nonlocal job
        job = requests.get(
            f"{stack.url}/v1/jobs/{job['id']}",
            headers={"Prefer": "wait=10"},
            timeout=DEADLINE,
        ).json()
        return job["state"] in ("done", "failed")

    await_true(ended)
    assert job["state"] == "done"
    assert job["chunks"]["done"] == job["chunks"]["total"]


def test_a_cache_that_forgets_everything_in_mid_job_changes_no_answer(stack: Stack) -> None:
    body = a_long_job(11)
    job = requests.post(f"{stack.url}/v1/jobs", json=body, timeout=DEADLINE).json()
    flushes = 0
    while job["state"] not in ("done", "failed"):
        with connect(stack.running.memcached, 5.0) as cache:
            cache.sendall(b"flush_all\r\n")
            assert cache.recv(64) == b"OK\r\n"
        flushes += 1
        job = requests.get(
            f"{stack.url}/v1/jobs/{job['id']}",
            headers={"Prefer": "wait=1"},
            timeout=DEADLINE,
        ).json()

    assert flushes > 1
    assert job["state"] == "done"
    assert job["progress"]["points_done"] == 48**3


def test_an_autoscaler_that_is_killed_is_started_again_and_launches_nothing_twice(
    stack: Stack,
) -> None:
    stack.await_home()
    before = {instance for ids in stack.fleet().values() for instance in ids}
    body = a_long_job(12)
    job = requests.post(f"{stack.url}/v1/jobs", json=body, timeout=DEADLINE).json()
    for _ in range(3):
        kill_autoscaler(stack)
    for _ in range(4):
        job = requests.get(
            f"{stack.url}/v1/jobs/{job['id']}",
            headers={"Prefer": "wait=30"},
            timeout=DEADLINE,
        ).json()
        if job["state"] == "done":
            break

    assert job["state"] == "done"
    stack.await_home()
    after = {instance for ids in stack.fleet().values() for instance in ids}
    assert len(before | after) <= CAP


def test_a_page_is_there_for_people(stack: Stack) -> None:
    page = requests.get(stack.url, timeout=DEADLINE)
    assert page.status_code == 200
    assert "<form" in page.text

    # The form as it stands, sent as a browser without scripts sends it.
    job = requests.post(f"{stack.url}/jobs", data={}, timeout=DEADLINE)

    assert job.status_code == 200
    assert "/jobs/" in job.url
    assert "<progress" in job.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_runs_once_or_ends_at_a_signal_and_nothing_survives(
    stack: Stack, tmp_path: Path, number: signal.Signals
) -> None:
    # The image is baked already: its folder is shared, so that this starts as a second run does.
    images = tmp_path / "state" / "images"
    images.parent.mkdir()
    subprocess.run(["cp", "-al", stack.state.path / "images", images], check=True)
    process = start_stack(tmp_path / "state", f"--port={free_port()}", "--demo")
    try:
        folder = tmp_path / "state"
        await_true((folder / "running.json").exists)
        members = Family(process.pid).members()
        process.send_signal(number)
        assert process.wait(DEADLINE) == 0
    finally:
        process.kill()
        out, _ = process.communicate()
    assert members.alive() == [], out


def test_make_run_once_prints_the_answer_and_leaves_nothing(stack: Stack, tmp_path: Path) -> None:
    images = tmp_path / "state" / "images"
    images.parent.mkdir()
    subprocess.run(["cp", "-al", stack.state.path / "images", images], check=True)
    process = start_stack(tmp_path / "state", f"--port={free_port()}", "--demo", "--once")
    family = Family(process.pid)
    await_true((tmp_path / "state" / "running.json").exists)
    members = family.members()
    out, _ = process.communicate(timeout=DEADLINE)

    assert process.returncode == 0, out
    assert set(out.splitlines()) >= DEMO_ANSWER
    assert members.alive() == []
    assert not (tmp_path / "state" / "running.json").exists()


def test_the_doctor_finds_a_running_stack_well(stack: Stack) -> None:
    def examined() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gridwell", "doctor", "--json"],
            cwd=ROOT,
            env=os.environ | stack.running.environment | {"GRIDWELL_URL": stack.url},
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE,
        )

    answer = examined()

    report = json.loads(answer.stdout)
    bad = [one for one in report["findings"] if one["level"] == "failed"]
    assert (answer.returncode, bad) == (0, [])
    assert stack.running.environment["AWS_SECRET_ACCESS_KEY"] not in answer.stdout.split('"')
