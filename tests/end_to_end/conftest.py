"""One local stack for the whole run: real processes, started by the command that people type."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from gridwell.local_stack.faults.client import RemoteFaults
from gridwell.local_stack.faults.plan import NOTHING
from gridwell.local_stack.memcached import free_port
from gridwell.local_stack.state import Running, StateFolder
from tests.end_to_end.processes import Family
from tests.harness.waiting import DEADLINE, await_true

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.local_stack.faults.plan import FaultPlan

ROOT = Path(__file__).resolve().parents[2]
CAP = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A running `gridwell local up`."""

    state: StateFolder
    running: Running
    family: Family

    @property
    def url(self) -> str:
        """Where the web tier answers."""
        return self.running.url

    def remote_faults(self) -> RemoteFaults:
        """The faults of the region."""
        return RemoteFaults(self.running.endpoint, access_key=self.running.access_key)

    @contextmanager
    def faults(self, plan: FaultPlan) -> Iterator[RemoteFaults]:
        """Let a plan's faults happen; afterwards nothing goes wrong any more."""
        remote = self.remote_faults()
        remote.put(plan)
        try:
            yield remote
        finally:
            remote.put(NOTHING)

    def load(self, report: Path, *options: str) -> dict[str, Any]:
        """The report of `gridwell load`, which has to verify every answer."""
        load = subprocess.run(
            [
                *(sys.executable, "-m", "gridwell", "load", f"--url={self.url}"),
                *(f"--json={report}", *options),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE,
        )
        assert load.returncode == 0, load.stdout + load.stderr
        told: dict[str, Any] = json.loads(report.read_text())
        return told

    def fleet(self) -> dict[str, list[str]]:
        """Ids of instances by their state, as the API shows them."""
        view = requests.get(f"{self.url}/v1/fleet", timeout=DEADLINE).json()
        states: dict[str, list[str]] = {}
        for instance in view["instances"]:
            states.setdefault(instance["state"], []).append(instance["id"])
        return states

    def await_home(self) -> None:
        """Wait until no instance is on any more."""
        on = ("pending", "running", "stopping")
        await_true(lambda: not any(self.fleet().get(state) for state in on))


def start_stack(state: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start `gridwell local up` with a clean environment but for where packages come from."""
    return subprocess.Popen(
        [sys.executable, "-m", "gridwell", "local", "up", f"--state={state}", *arguments],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "GRIDWELL_"))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the image, once baked, stays for every stack of the run."""
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="session")
def stack(state: Path) -> Iterator[Stack]:
    """A stack with a fleet of up to four instances; nothing survives its end.

    Nothing goes wrong in it until a test plans that, by `stack.faults`.
    """
    process = start_stack(state, f"--port={free_port()}", f"--max-instances={CAP}", "--faults=none")
    folder = StateFolder(state)

    def is_up() -> bool:
        if process.poll() is not None:
            assert process.stdout is not None
            pytest.fail(f"the stack ended while starting:\n{process.stdout.read()}")
        return folder.running() is not None

    try:
        await_true(is_up)
        running = folder.running()
        assert running is not None
        family = Family(process.pid)
        yield Stack(state=folder, running=running, family=family)
        members = family.members()
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
        assert members.alive() == []
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
