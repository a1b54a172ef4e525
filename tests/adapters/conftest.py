"""One region with the real stack for all suites: each port's tests run on memory and on it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from gridwell.adapters.aws import client as adapter
from gridwell.deploy.cloudformation import create_or_update
from gridwell.local_stack.memcached import Memcached, start_memcached
from tests.local_stack.conftest import Region, running_region

if TYPE_CHECKING:
    from collections.abc import Iterator

FLEET = "adapters"
RELEASE = "e" * 64
MAX_RUNNING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Aws:
    """The region with its stack, and the clients that the tiers would use in it."""

    region: Region
    clients: dict[str, Any]
    names: dict[str, str]  #: the stack's outputs


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    state = tmp_path_factory.mktemp("adapters")
    with running_region(state, "--max-running", str(MAX_RUNNING)) as region:
        with pytest.MonkeyPatch.context() as patch:
            # A client keeps what it found when it was made: nothing of this outlives the block.
            patch.setattr(boto3, "DEFAULT_SESSION", None)
            patch.setenv("AWS_ENDPOINT_URL", region.endpoint)
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            patch.setenv("AWS_ACCESS_KEY_ID", region.access_key)
            patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
            patch.setenv("AWS_CONFIG_FILE", os.devnull)
            patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
            services = ("cloudformation", "dynamodb", "ec2", "s3", "sqs")
            clients = {service: adapter.client(service) for service in services}
        parameters = {"WorkerImage": region.base_image, "Release": RELEASE}
        names = create_or_update(clients["cloudformation"], FLEET, parameters, poll_seconds=1)
        yield Aws(region=region, clients=clients, names=names)
        for client in clients.values():
            client.close()


@pytest.fixture(scope="session", params=["memory", pytest.param("aws", marks=pytest.mark.system)])
def backend(request: pytest.FixtureRequest) -> str:
    """Which of the two is under test."""
    return str(request.param)


@pytest.fixture(scope="session")
def memcached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memcached]:
    if shutil.which("memcached") is None and not os.environ.get("CI"):
        pytest.skip("memcached is not installed: sudo apt-get install -y memcached")
    server = start_memcached(log=tmp_path_factory.mktemp("memcached") / "log")
    yield server
    server.stop()
