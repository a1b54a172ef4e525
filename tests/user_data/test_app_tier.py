"""The boothook as /bin/sh runs it, against a metadata service that insists on its tokens."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from gridwell.local_stack.region.instance_facts import InstanceFacts
from gridwell.local_stack.region.metadata_service import MetadataServer
from user_data.render import worker_user_data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTINGS = {"GRIDWELL_FLEET": "blue", "GRIDWELL_CHUNKS_QUEUE": "blue-chunks", "GRIDWELL_CORES": "1"}
FACTS = InstanceFacts(
    instance_id="i-0123456789abcdef0",
    image_id="ami-1",
    instance_type="c7i.large",
    architecture="x86_64",
    private_ip="10.0.0.4",
    region="eu-central-1",
    availability_zone="eu-central-1a",
    account_id="210987654321",
)
WRITTEN = (
    "GRIDWELL_CHUNKS_QUEUE=blue-chunks\n"
    "GRIDWELL_CORES=1\n"
    "GRIDWELL_FLEET=blue\n"
    "GRIDWELL_WORKER_ID=arn:aws:ec2:eu-central-1:210987654321:instance/i-0123456789abcdef0\n"
    "AWS_DEFAULT_REGION=eu-central-1\n"
)


@dataclass(frozen=True, slots=True)
class Machine:
    """A folder with a home for Gridwell, and the commands that the hook may not run for real."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "opt" / "gridwell"

    @property
    def env(self) -> Path:
        return self.home / "run" / "env"

    @property
    def chowned(self) -> str:
        return (self.folder / "chowned").read_text()

    def stand_in(self, command: str, script: str) -> None:
        (self.folder / "bin").mkdir(exist_ok=True)
        path = self.folder / "bin" / command
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def boot(
        self, metadata: str, settings: dict[str, str] = SETTINGS, **more: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "-s"],
            input=worker_user_data(settings),
            env={
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "GRIDWELL_HOME": str(self.home),
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata,
                "MACHINE": str(self.folder),
                "HOME": "/nowhere",
                **more,
            },
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}


@contextmanager
def metadata_of(facts: InstanceFacts | None) -> Iterator[str]:
    server = MetadataServer(lambda: facts)
    try:
        yield server.endpoint
    finally:
        server.close()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.stand_in("chown", 'echo "$*" >"$MACHINE/chowned"')
    return machine


def test_the_environment_is_written_exactly(machine: Machine) -> None:
    with metadata_of(FACTS) as endpoint:
        boot = machine.boot(endpoint)

    assert boot.returncode == 0, boot.stderr
    assert machine.env.read_text() == WRITTEN
    assert machine.chowned == f"-R gridwell {machine.home / 'run'}\n"
    assert "i-0123456789abcdef0 in eu-central-1" in boot.stdout


def test_nothing_is_written_but_the_one_file(machine: Machine) -> None:
    machine.home.mkdir(parents=True)
    before = machine.files()
    with metadata_of(FACTS) as endpoint:
        machine.boot(endpoint)

    assert machine.files() - before == {"opt/gridwell/run", "opt/gridwell/run/env", "chowned"}


def test_a_later_boot_writes_the_file_anew(machine: Machine) -> None:
    with metadata_of(FACTS) as endpoint:
        machine.boot(endpoint, {"GRIDWELL_FLEET": "red"})
        assert "GRIDWELL_FLEET=red" in machine.env.read_text()
        machine.boot(endpoint)

    assert machine.env.read_text() == WRITTEN


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (None, "there is no identity document"),
        (replace(FACTS, account_id=""), "names no region, account or instance"),
        (replace(FACTS, region=""), "names no region, account or instance"),
        (replace(FACTS, instance_id=""), "names no region, account or instance"),
    ],
)
def test_without_an_identity_no_environment_is_left_not_even_an_older_boots(
    machine: Machine, facts: InstanceFacts | None, said: str
) -> None:
    with metadata_of(FACTS) as endpoint:
        machine.boot(endpoint)
    with metadata_of(facts) as endpoint:
        boot = machine.boot(endpoint)

    assert boot.returncode != 0
    assert "gridwell: run/env was not written:" in boot.stderr
    assert said in boot.stderr
    assert not machine.env.exists()


def test_the_environment_appears_as_the_last_act(machine: Machine) -> None:
    """A hook that fails half way has said nothing: the file comes by one rename, when whole."""
    machine.stand_in("chown", 'test ! -e "$GRIDWELL_HOME/run/env" && exit 1; exit 0')
    with metadata_of(FACTS) as endpoint:
        boot = machine.boot(endpoint)

    assert boot.returncode != 0
    assert not machine.env.exists()


def test_root_does_not_write_through_a_link_that_a_worker_left(machine: Machine) -> None:
    victim = machine.folder / "victim"
    victim.write_text("untouched")
    machine.env.parent.mkdir(parents=True)
    machine.env.with_suffix(".new").symlink_to(victim)
    with metadata_of(FACTS) as endpoint:
        assert machine.boot(endpoint).returncode == 0

    assert victim.read_text() == "untouched"
    assert machine.env.read_text() == WRITTEN


def test_the_metadata_service_is_asked_past_any_proxy(machine: Machine) -> None:
    with metadata_of(FACTS) as endpoint:
        boot = machine.boot(endpoint, http_proxy="http://127.0.0.1:9")

    assert boot.returncode == 0, boot.stderr


def test_the_hook_never_calls_systemctl_which_would_deadlock_the_boot() -> None:
    script = worker_user_data(SETTINGS)
    code = [line for line in script.splitlines() if not line.lstrip().startswith("#")]

    assert "systemctl" not in "\n".join(code)
