"""A whole local stack of real processes, started by the command that people type."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

from gridwell.local_stack.faults.calling_process import MARK
from gridwell.local_stack.memcached import free_port
from gridwell.local_stack.processes import Child, start
from gridwell.local_stack.program_environment import ROOT, environment, python
from gridwell.local_stack.state import Running, StateFolder
from tests.end_to_end.processes import Family, Members, Process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.chaos.timeline import Timeline

_UP_SECONDS: Final = 300.0
_DOWN_SECONDS: Final = 120.0

#: A second one of a program, beside the stack's own.
SECONDS: Final = {
    "second collector": ("web_tier", "collect"),
    "second autoscaler": ("autoscaler", "run"),
}


class Ended(Exception):  # noqa: N818 - it has
    """The stack is not there any more."""


class Stack:
    """`gridwell local up` in a folder of its own, on free ports.

    Args:
        state: the folder; an image in it is used, else one is baked.
        cap: of the fleet.
        settings: of the programs.
        lease: seconds of the queues' visibility timeout.
        timeline: is told what the stack says.
    """

    def __init__(
        self,
        state: Path,
        *,
        cap: int,
        settings: Mapping[str, str],
        lease: int,
        timeline: Timeline,
    ) -> None:
        self.state = StateFolder(state)
        self.cap = cap
        self._lease = lease
        self._timeline = timeline
        self._seconds: dict[str, Child] = {}
        self._seen: set[tuple[int, str]] = set()
        self.state.logs.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "gridwell", "local", "up", f"--state={state}"]
        command += [f"--port={free_port()}", f"--max-instances={cap}"]
        command += ["--faults=none", *(f"--set={n}={value}" for n, value in settings.items())]
        log = self.state.logs / "up.log"
        log.unlink(missing_ok=True)
        # It dies with us, and all of its own with it.
        self._process = start(
            "the stack",
            command,
            env={k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "GRIDWELL_"))},
            log=log,
            cwd=ROOT,
        ).process
        self._running: Running | None = None

    def await_up(self) -> None:
        """Return when everything answers."""
        deadline = time.monotonic() + _UP_SECONDS
        while (running := self.state.running()) is None:
            self.check()
            if time.monotonic() > deadline:
                raise Ended(f"not up within {_UP_SECONDS:g} s; its log ends with:\n{self._tail()}")
            time.sleep(0.05)
        self._running = running
        for queue in ("CHUNKS", "RESULTS"):
            self.client("sqs").set_queue_attributes(
                QueueUrl=self.queue_url(queue), Attributes={"VisibilityTimeout": str(self._lease)}
            )

    @property
    def running(self) -> Running:
        """Where everything is."""
        assert self._running is not None, "await_up comes first"
        return self._running

    def check(self) -> None:
        """Return if the stack lives.

        Raises:
            Ended: it does not.
        """
        if self._process.poll() is not None:
            raise Ended(f"`gridwell local up` ended ({self._process.returncode}):\n{self._tail()}")

    def client(self, service: str) -> Any:
        """A client of the region, as an operator has one."""
        return region_client(self.running, service)

    def queue_url(self, queue: str) -> str:
        """The address of CHUNKS, RESULTS, DEAD_CHUNKS or DEAD_RESULTS."""
        return queue_url(self.running, queue)

    def fleet(self) -> dict[str, str]:
        """The state of each instance of the fleet, as EC2 shows it."""
        pages = (
            self.client("ec2")
            .get_paginator("describe_instances")
            .paginate(
                Filters=[
                    {
                        "Name": "tag:gridwell:fleet",
                        "Values": [self.running.environment["GRIDWELL_FLEET"]],
                    }
                ]
            )
        )
        return {
            instance["InstanceId"]: instance["State"]["Name"]
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        }

    def find(self, program: str) -> list[Process]:
        """The processes of a program that are there now, the oldest first."""
        if program in SECONDS:
            child = self._seconds.get(program)
            return [p for p in self._members() if child is not None and p.pid == child.process.pid]
        if program == "instance":
            return self._machines()
        ours, members = self._process.pid, self._members()
        gunicorns = {p.pid for p in members if p.runs("gunicorn")}
        tests: dict[str, Callable[[Process], bool]] = {
            "web tier": lambda p: p.pid in gunicorns and p.parent == ours,
            "web worker": lambda p: p.pid in gunicorns and p.parent in gunicorns,
            "collector": lambda p: p.runs("web_tier", "collect") and p.parent == ours,
            "autoscaler": lambda p: p.runs("autoscaler", "run") and p.parent == ours,
            "worker": lambda p: p.runs("app_tier", "work"),
            "compute process": lambda p: any("spawn_main" in a for a in p.arguments),
            "memcached": lambda p: p.parent == ours and "memcached" in p.arguments[0],
            "region": lambda p: p.runs("gridwell.local_stack.region_server") and p.parent == ours,
        }
        return [p for p in members if p.arguments and tests[program](p)]

    def start_second(self, program: str) -> None:
        """Start a second one of a program; call it from the main thread."""
        if program in self._seconds:
            return
        self._seconds[program] = start(
            program,
            python(*SECONDS[program]),
            env=environment(
                endpoint=self.running.endpoint,
                settings=self.running.environment | {MARK: str(self.state.path)},
            ),
            log=self.state.logs / f"{program.replace(' ', '-')}.log",
        )

    def end_second(self, program: str) -> None:
        """Forget a second one that was killed."""
        child = self._seconds.pop(program, None)
        if child is not None:
            child.stop()

    def down(self) -> list[str]:
        """End everything; what is left all the same."""
        self._members()
        for program in list(self._seconds):
            self.end_second(program)
        left = []
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(_DOWN_SECONDS)
            if status != 0:
                left.append(f"`gridwell local up` ended with status {status}")
        except subprocess.TimeoutExpired:
            left.append(f"`gridwell local up` did not end within {_DOWN_SECONDS:g} s")
            self._process.kill()
            self._process.wait()
        return left + Members(frozenset(self._seen)).alive()

    def _members(self) -> list[Process]:
        """All processes of the stack, the oldest first; each one seen must be gone at the end."""
        roots = [self._process.pid, *(child.process.pid for child in self._seconds.values())]
        found = [process for root in roots for process in Family(root).processes()]
        self._seen |= {(process.pid, process.start) for process in found}
        return sorted(found, key=lambda process: int(process.start))

    def _machines(self) -> list[Process]:
        """The first process of each instance that has power."""
        pids = set()
        for file in (self.state.path / "instances").glob("*/pid"):
            try:
                pids.add(int(file.read_text()))
            except (OSError, ValueError):  # it has just gone off
                continue
        return [process for process in self._members() if process.pid in pids]

    def _tail(self) -> str:
        return (self.state.logs / "up.log").read_text(errors="replace")[-3000:]


def queue_url(running: Running, queue: str) -> str:
    """The address of CHUNKS, RESULTS, DEAD_CHUNKS or DEAD_RESULTS in a running stack."""
    name = running.environment[f"GRIDWELL_{queue}_QUEUE"]
    return str(region_client(running, "sqs").get_queue_url(QueueName=name)["QueueUrl"])


def region_client(running: Running, service: str) -> Any:
    return _client(running.endpoint, running.access_key, service)


@cache
def _client(endpoint: str, access_key: str, service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key="chaos",  # noqa: S106 - the region checks no signature
        config=Config(
            connect_timeout=3,
            read_timeout=10,
            retries={"mode": "standard", "total_max_attempts": 2},
        ),
    )
