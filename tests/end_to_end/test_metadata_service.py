"""Programs that start while the metadata service fails do their work once it answers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from gridwell.adapters.aws import client
from gridwell.adapters.dynamodb.fleet_ledger import DynamoFleetLedger
from gridwell.deploy.cloudformation import create_or_update
from tests.adapters.aws.imds import ROLE, Imds, imds
from tests.harness.waiting import DEADLINE, await_true
from tests.local_stack.conftest import running_region
from web_tier.collector.heartbeat import collector_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
FLEET = "hiccup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A region, whose programs have no keys but those of a metadata service."""

    environment: dict[str, str]
    ledger: DynamoFleetLedger
    service: Imds
    folder: Path

    def start(self, *words: str, **settings: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{words[0]}-{words[1]}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", *words], env=self.environment | settings, stderr=log
            )

    def log(self, *words: str) -> str:
        return (self.folder / f"{words[0]}-{words[1]}.log").read_text()


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    tmp_path = tmp_path_factory.mktemp("metadata")
    common = {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    with running_region(tmp_path) as cloud, imds() as service:
        common["AWS_ENDPOINT_URL"] = cloud.endpoint
        keys = {"AWS_ACCESS_KEY_ID": cloud.access_key, "AWS_SECRET_ACCESS_KEY": "test"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(boto3, "DEFAULT_SESSION", None)
            for name, value in (common | keys).items():
                patch.setenv(name, value)
            cloudformation, dynamodb = client.client("cloudformation"), client.client("dynamodb")
        names = create_or_update(cloudformation, FLEET, {}, poll_seconds=1)
        service.answers["a-role"] = json.dumps(ROLE | {"AccessKeyId": cloud.access_key})
        yield Place(
            environment={
                **common,
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{service.endpoint}/",
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "GRIDWELL_FLEET": FLEET,
                "GRIDWELL_BUCKET": names["Bucket"],
                "GRIDWELL_MEMCACHED": "127.0.0.1:9",
                "GRIDWELL_TICK_SECONDS": "0.5",
                "GRIDWELL_LEASE_SECONDS": "5",
                "GRIDWELL_POLL_SECONDS": "1",
            },
            ledger=DynamoFleetLedger(dynamodb, names["LedgerTable"], FLEET),
            service=service,
            folder=tmp_path,
        )


@pytest.fixture
def place(region: Place) -> Place:
    """The region while its metadata service fails."""
    region.service.trouble = "503"
    return region


def until(holds: Callable[[], Any], process: subprocess.Popen[bytes]) -> None:
    def held() -> bool:
        assert process.poll() is None, f"the program has ended with {process.returncode}"
        return bool(holds())

    await_true(held, pause=0.2)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def ended(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    return process.wait(DEADLINE)


def test_an_autoscaler_that_starts_without_credentials_takes_its_lease_later(place: Place) -> None:
    words = "autoscaler", "run"
    process = place.start(*words)
    try:
        until(lambda: "answered 503" in place.log(*words), process)
        assert place.ledger.lease() is None
        place.service.trouble = ""

        until(lambda: place.ledger.lease() is not None, process)
    finally:
        ended(process)
    assert place.service.endpoint in place.log(*words)


def test_a_collector_that_starts_without_credentials_gives_a_sign_of_life_later(
    place: Place,
) -> None:
    words, name = ("web_tier", "collect"), collector_name(FLEET)
    process = place.start(*words)
    try:
        until(lambda: "answered 503" in place.log(*words), process)
        place.service.trouble = ""

        until(lambda: place.ledger.heartbeats([name]), process)
    finally:
        ended(process)


def test_a_web_tier_that_starts_without_credentials_is_not_ready_and_then_is(
    place: Place,
) -> None:
    port = free_port()
    process = place.start("web_tier", "serve", GRIDWELL_PORT=str(port))
    told: list[tuple[int, str]] = []

    def ready() -> bool:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{port}/readyz", timeout=DEADLINE
            ) as reply:
                told.append((reply.status, reply.read().decode()))
        except urllib.error.HTTPError as error:
            with error:
                told.append((error.code, error.read().decode()))
        except OSError:
            return False
        return told[-1][0] == 200

    try:
        until(lambda: ready() or told, process)
        assert told[-1][0] == 503
        place.service.trouble = ""

        until(ready, process)
    finally:
        ended(process)
    assert "credentials" in told[0][1]
