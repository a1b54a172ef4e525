"""A region with the stack, for bakes: where the kernel allows it, all else is read-only to it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from ami.bake import Bakery
from ami.bundle import Bundle, make_bundle
from gridwell.adapters.aws.s3 import S3Store
from gridwell.adapters.system_clock import SystemClock
from gridwell.deploy.cloudformation import create_or_update, environment_of
from gridwell.local_stack.program_environment import environment, python
from tests.local_stack.conftest import ROOT, Region, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FLEET = "bakery"
READ_ONLY = ROOT / "tests/ami/read_only.sh"
_NAMESPACES = (
    ("unshare", "--mount", "--propagation=private"),
    ("unshare", "--user", "--map-root-user", "--mount", "--propagation=private"),
)


def confinement(folder: Path) -> tuple[str, ...]:
    """The prefix that lets a command write below a folder only, or nothing where that fails."""
    for namespace in _NAMESPACES:
        prefix = (*namespace, "/bin/sh", str(READ_ONLY), str(folder))
        with contextlib.suppress(FileNotFoundError):
            if subprocess.run((*prefix, "true"), check=False, capture_output=True).returncode == 0:
                return prefix
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """A region with a stack, and what a bake in it is called with."""

    region: Region
    settings: dict[str, str]
    confined: bool  #: whether the region's processes can write below its folder only
    said: list[str] = field(default_factory=list)

    @property
    def bucket(self) -> str:
        return self.settings["GRIDWELL_BUCKET"]

    def bakery(self, **changes: Any) -> Bakery:
        s3 = self.region.client("s3")
        parts: dict[str, Any] = {
            "ec2": self.region.ec2,
            "s3": s3,
            "store": S3Store(s3, self.bucket),
            "bucket": self.bucket,
            "fleet": FLEET,
            "base_image": self.region.base_image,
            "instance_type": "t3.small",
            "clock": SystemClock(),
            "say": self.said.append,
            "poll_seconds": 0.1,
            "patience_seconds": 300.0,
        }
        return Bakery(**(parts | changes))

    def environment(self) -> dict[str, str]:
        """For a program that talks to this region."""
        return environment(
            endpoint=self.region.endpoint,
            access_key=self.region.access_key,
            settings=self.settings,
        )

    def builders(self) -> dict[str, str]:
        """The state of every builder there ever was."""
        filters = [{"Name": "tag-key", "Values": ["gridwell:builder"]}]
        reply = self.region.ec2.describe_instances(Filters=filters)
        found = [one for group in reply["Reservations"] for one in group["Instances"]]
        return {one["InstanceId"]: one["State"]["Name"] for one in found}

    def objects(self, prefix: str) -> list[str]:
        reply = self.region.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for entry in reply.get("Contents", [])]

    def images(self) -> list[dict[str, Any]]:
        """All images but the one that a bake starts from."""
        images: list[dict[str, Any]] = self.region.ec2.describe_images(Owners=["self"])["Images"]
        return [image for image in images if image["ImageId"] != self.region.base_image]


@contextlib.contextmanager
def confined_region(state: Path, prefix: tuple[str, ...]) -> Iterator[Region]:
    command = [*prefix, *python("gridwell.local_stack.region_server", "--state", str(state))]
    with serving(command, state=state, env=environment(settings={})) as region:
        yield region
    assert region.process.returncode == 0


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    # Resolved: mounts are known by their real paths.
    state = tmp_path_factory.mktemp("bakery").resolve()
    prefix = confinement(state)
    with confined_region(state, prefix) as region:
        outputs = create_or_update(region.client("cloudformation"), FLEET, {}, poll_seconds=1)
        settings = environment_of(outputs) | {"GRIDWELL_BASE_IMAGE": region.base_image}
        yield Workshop(region=region, settings=settings, confined=bool(prefix))


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    """Of this checkout, made once: somebody may be editing it meanwhile."""
    return make_bundle(ROOT)


def run_program(program: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program of its own, as a unit does: with an environment and nothing else."""
    return subprocess.run(
        [sys.executable, "-P", str(program)],
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        check=False,
    )
