"""`python -m app_tier work` as a process, on a real region: its exits are its contract."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from gridwell.adapters.aws import client as aws
from gridwell.adapters.aws.s3 import S3Store
from gridwell.adapters.aws.sqs import SqsQueue
from gridwell.adapters.dynamodb.fleet_ledger import DynamoFleetLedger
from gridwell.adapters.dynamodb.job_ledger import DynamoJobLedger
from gridwell.deploy.cloudformation import create_or_update
from gridwell.engine.messages import ChunkMessage, ResultMessage
from gridwell.engine.object_keys import problem_object
from gridwell.kinds.grid.minimum import Minimum, lesser
from gridwell.kinds.grid.names import MINIMUM_KIND
from tests.harness.builders import a_job, a_problem, a_token
from tests.harness.oracle import true_minimum
from tests.harness.waiting import DEADLINE, await_true
from tests.local_stack.conftest import running_region

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.engine.job import Job

ROOT = Path(__file__).parents[2]
FLEET = "workers"
WORKER = "arn:aws:ec2:us-east-1:1:instance/i-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a worker finds in its region, and the environment that leads it there."""

    environment: dict[str, str]
    chunks: SqsQueue
    results: SqsQueue
    jobs: DynamoJobLedger
    fleet: DynamoFleetLedger
    store: S3Store

    def submit(self, *, chunks: int, n: int = 6, atoms: int = 8, seed: int) -> Job:
        problem = a_problem(n, atoms=atoms, seed=seed)
        self.store.put_new(problem_object(problem.sha), problem.encode(), content_type="x/y")
        now = time.time()
        job = a_job(problem, chunks=chunks, created=now, deadline=now + 600)
        assert self.jobs.create(job)
        bodies = [
            ChunkMessage(
                kind=MINIMUM_KIND,
                job=job.id,
                attempt=job.attempt,
                chunk=chunk,
                plan=job.plan,
                problem=job.spec,
                token=a_token(job, chunk),
            ).encode()
            for chunk in range(job.tasks)
        ]
        assert self.chunks.send(bodies, group=job.client) == []
        return job

    def start(self, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "app_tier", "work"],
            env=self.environment | more,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start_and_await_beat(self) -> subprocess.Popen[str]:
        """A worker that is at work, and does not go for being idle."""
        earlier = self.fleet.heartbeats([WORKER]).get(WORKER)
        process = self.start(GRIDWELL_IDLE_POLLS="1000")
        await_true(lambda: self.fleet.heartbeats([WORKER]).get(WORKER) != earlier)
        return process


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    keys = {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    with running_region(tmp_path_factory.mktemp("workers")) as region:
        keys["AWS_ENDPOINT_URL"] = region.endpoint
        keys["AWS_ACCESS_KEY_ID"] = region.access_key
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(boto3, "DEFAULT_SESSION", None)
            for name, value in keys.items():
                patch.setenv(name, value)
            services = ("cloudformation", "dynamodb", "s3", "sqs")
            clients: dict[str, Any] = {service: aws.client(service) for service in services}
        names = create_or_update(clients["cloudformation"], FLEET, {}, poll_seconds=1)
        yield Place(
            environment={
                **keys,
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "GRIDWELL_FLEET": FLEET,
                "GRIDWELL_BUCKET": names["Bucket"],
                "GRIDWELL_WORKER_ID": WORKER,
                "GRIDWELL_POLL_SECONDS": "1",
                "GRIDWELL_MINIMUM_UPTIME_SECONDS": "0",
                "GRIDWELL_CORES": "1",
            },
            chunks=SqsQueue(clients["sqs"], names["ChunksQueue"]),
            results=SqsQueue(clients["sqs"], names["ResultsQueue"]),
            jobs=DynamoJobLedger(clients["dynamodb"], names["LedgerTable"]),
            fleet=DynamoFleetLedger(clients["dynamodb"], names["LedgerTable"], FLEET),
            store=S3Store(clients["s3"], names["Bucket"]),
        )
        for client in clients.values():
            client.close()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        _, words = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
    return process.returncode, words


def children(process: subprocess.Popen[str]) -> list[int]:
    """The processes that it started, and that still run."""
    tasks = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(word) for word in tasks.read_text().split()]


def test_a_worker_computes_what_there_is_and_exits_0_when_idle(
    place: Place, tmp_path: Path
) -> None:
    job = place.submit(chunks=8, seed=1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        process = place.start(NOTIFY_SOCKET=str(tmp_path / "notify"))
        status, words = ended(process)
        listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
        assert listener.recv(100) == b"READY=1"
        assert listener.recv(100) == b"WATCHDOG=1"

    assert status == 0, words
    best: Minimum | None = None
    found = {}
    while batch := place.results.receive(at_most=10, wait=0):
        for received in batch:
            result = ResultMessage.decode(received.body)
            found[result.chunk] = result.best
            least = None if result.best is None else Minimum.from_key(result.best)
            best = lesser(best, least)
        place.results.delete([received.receipt for received in batch])
    assert sorted(found) == list(range(job.tasks))
    assert best == true_minimum(a_problem(6, atoms=8, seed=1))
    beat = place.fleet.heartbeats([WORKER])[WORKER]
    assert (beat.draining, beat.chunks, beat.busy) == (True, 8, 0)
    depth = place.chunks.depth()
    assert (depth.visible, depth.in_flight) == (0, 0)


def test_a_worker_told_to_stop_gives_back_at_once_what_has_not_started(place: Place) -> None:
    place.submit(chunks=4, n=60, atoms=250_000, seed=2)  # minutes of computing
    process = place.start(GRIDWELL_POLL_SECONDS="20")
    try:
        await_true(lambda: place.chunks.depth().in_flight == 2)
        process.send_signal(signal.SIGTERM)
        # One has not started; on a busy machine neither of them has.
        await_true(lambda: place.chunks.depth().in_flight < 2)
    finally:
        process.kill()
        process.communicate()
    while batch := place.chunks.receive(at_most=10, wait=0):
        place.chunks.delete([received.receipt for received in batch])


def test_a_sigterm_while_it_starts_is_no_clean_end_either(place: Place) -> None:
    process = place.start(GRIDWELL_IDLE_POLLS="1000")
    await_true(lambda: children(process))

    process.send_signal(signal.SIGTERM)

    status, words = ended(process)
    assert status == 75, words


def test_a_stray_sigterm_while_idle_ends_with_75_and_not_with_0(place: Place) -> None:
    process = place.start_and_await_beat()

    process.send_signal(signal.SIGTERM)

    status, words = ended(process)
    assert status == 75, words
    assert place.fleet.heartbeats([WORKER])[WORKER].draining


def test_the_compute_processes_of_a_killed_worker_end_with_it(place: Place) -> None:
    process = place.start_and_await_beat()
    await_true(lambda: children(process))
    orphans = children(process)

    process.kill()
    process.communicate()

    await_true(lambda: not any(_runs(orphan) for orphan in orphans))


def _runs(process: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False


def test_a_missing_queue_ends_the_worker_with_1_and_its_name(place: Place) -> None:
    process = place.start(GRIDWELL_CHUNKS_QUEUE="nowhere")

    status, words = ended(process)

    assert status == 1
    assert "nowhere" in words
    assert "Traceback" not in words


def test_settings_that_cannot_be_used_are_all_told_at_once(place: Place) -> None:
    process = place.start(GRIDWELL_POLL_SECONDS="60", GRIDWELL_CORES="none")

    status, words = ended(process)

    assert status == 2
    assert "GRIDWELL_POLL_SECONDS" in words
    assert "GRIDWELL_CORES" in words
