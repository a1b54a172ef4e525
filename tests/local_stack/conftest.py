"""A region in a process of its own, with hand-made images, for the tests of the local stack."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from gridwell.local_stack.faults.plan import NOTHING
from gridwell.local_stack.machine.command_stubs import main as stand_in
from gridwell.local_stack.program_environment import python
from gridwell.local_stack.region.images import ImageRecord, ImageStore
from tests.harness.local_region import Bench
from tests.harness.waiting import DEADLINE, await_true
from tests.local_stack.machine.units import IMAGES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[2]


@cache
def client(endpoint: str, service: str, access_key: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key="test",  # noqa: S106 - the region checks no signature
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=20),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A running cloud process and a client for each of its services."""

    process: subprocess.Popen[bytes]
    state: Path
    endpoint: str
    access_key: str
    base_image: str

    def client(self, service: str) -> Any:
        return client(self.endpoint, service, self.access_key)

    def credential(self, service: str) -> str:
        """The header of a call that is made by hand."""
        scope = f"{self.access_key}/20260101/us-east-1/{service}/aws4_request"
        return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=x"

    @property
    def ec2(self) -> Any:
        return self.client("ec2")

    def launch(self, image: str | None = None, **more: Any) -> str:
        request: dict[str, Any] = {"MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro"}
        request |= {"ImageId": IMAGES[image].image_id if image else self.base_image} | more
        reply = self.ec2.run_instances(**request)
        return str(reply["Instances"][0]["InstanceId"])

    def describe(self, instance: str) -> Any:
        reply = self.ec2.describe_instances(InstanceIds=[instance])
        return reply["Reservations"][0]["Instances"][0]

    def await_state(self, instance: str, *states: str) -> Any:
        seen: dict[str, Any] = {}

        def is_there() -> bool:
            seen.clear()
            seen.update(self.describe(instance))
            return seen["State"]["Name"] in states

        with self._explained(instance):
            await_true(is_there, pause=0.01)
        return seen

    def console(self, instance: str) -> str:
        return str(self.ec2.get_console_output(InstanceId=instance)["Output"])

    def await_console(self, instance: str, words: str, *, times: int = 1) -> str:
        with self._explained(instance):
            await_true(lambda: self.console(instance).count(words) >= times, pause=0.01)
        return self.console(instance)

    @contextmanager
    def _explained(self, instance: str) -> Iterator[None]:
        """Show the instance with what was awaited in vain."""
        try:
            yield
        except AssertionError as error:
            error.add_note(f"{self.describe(instance)['State']}\n{self.console(instance)}")
            raise

    def folder(self, instance: str) -> Path:
        return self.state / "instances" / instance

    def pid(self, instance: str) -> int:
        return int((self.folder(instance) / "pid").read_text())


@contextmanager
def running_region(state: Path, *options: str, **env: str) -> Iterator[Region]:
    command = python("gridwell.local_stack.region_server", f"--state={state}")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "AWS_DEFAULT_REGION": "us-east-1", **env}
    with serving([*command, *options], state=state, env=env) as region:
        yield region


@contextmanager
def serving(command: Sequence[str], *, state: Path, env: Mapping[str, str]) -> Iterator[Region]:
    """A cloud process from its line that says it is ready to its orderly end."""
    with (state / "cloud.log").open("ab") as log:
        process = subprocess.Popen(command, env=dict(env), stdout=subprocess.PIPE, stderr=log)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (state / "cloud.log").read_text()
        ready = json.loads(line)
        yield Region(
            process=process,
            state=state,
            endpoint=ready["endpoint"],
            access_key=ready["access_key"],
            base_image=ready["base_image"],
        )
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE) == 0
        assert process.stdout is not None
        process.stdout.close()


def make_images(state: Path) -> None:
    """Write the images of `units.py` the way a bake leaves them."""
    store = ImageStore(state / "images")
    for name, image in IMAGES.items():
        disk = state / "made" / name
        folder = disk / "etc/systemd/system"
        folder.mkdir(parents=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GRIDWELL_HOME", str(disk))
            patch.setattr("gridwell.local_stack.machine.command_stubs.ask", lambda _: "")
            for unit, text in image.units.items():
                (folder / unit).write_text(text)
                assert stand_in(["systemctl", "enable", unit]) == 0
        for path, text in image.files.items():
            (disk / path).parent.mkdir(parents=True, exist_ok=True)
            (disk / path).write_text(text)
        record = ImageRecord(image_id=image.image_id, name=name, created="2026-01-01T00:00:00")
        store.add(record, disk)


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    state = tmp_path_factory.mktemp("region")
    make_images(state)
    with running_region(state, "--max-running", "12", "--stop-seconds", "8") as region:
        yield region


@pytest.fixture
def launched(region: Region) -> Iterator[Any]:
    """Launches instances and terminates them after the test."""
    instances: list[str] = []

    def launch(image: str | None = None, **more: Any) -> str:
        instances.append(region.launch(image, **more))
        return instances[-1]

    yield launch
    if instances:
        region.ec2.terminate_instances(InstanceIds=instances)
        for instance in instances:
            region.await_state(instance, "terminated")


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    state = tmp_path_factory.mktemp("faulty")
    make_images(state)
    with running_region(state, "--faults", "--max-running", "50") as region:
        region.client("dynamodb").create_table(
            TableName="ledger",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "unfinished")
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "unfinished",
                    "KeySchema": [{"AttributeName": "unfinished", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        region.client("s3").create_bucket(Bucket="bucket")
        yield region


@pytest.fixture
def bench(faulty: Region, request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = Bench(faulty, "q" + hashlib.sha256(request.node.name.encode()).hexdigest()[:16])
    yield bench
    bench.remote.put(NOTHING)
    bench.remote.away(0)
    bench.sqs.delete_queue(QueueUrl=bench.url)
