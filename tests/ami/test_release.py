"""release.py as its unit runs it: a program of its own, with an environment and a folder."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.adapters.aws.imds import ROLE, imds
from tests.ami.conftest import run_program
from tests.local_stack.conftest import ROOT

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.ami.conftest import Workshop

PROGRAM = ROOT / "ami" / "release.py"


def wheel_of(**files: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def sha_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


WHEEL = wheel_of(**{"app_tier/__init__.py": "", "app_tier/cli.py": "print('hello')"})
ROTTEN = bytes([WHEEL[0] ^ 1]) + WHEEL[1:]


@dataclass(frozen=True, slots=True)
class Home:
    """A folder that stands for /opt/gridwell."""

    folder: Path

    @property
    def release(self) -> Path:
        return self.folder / "run" / "release"

    def hold(self, data: bytes, name: str | None = None) -> str:
        """Put a wheel on the image; the name is its sha256, or a lie."""
        releases = self.folder / "releases"
        releases.mkdir(exist_ok=True)
        (releases / f"{name or sha_of(data)}.whl").write_bytes(data)
        return name or sha_of(data)

    def unpacked(self) -> dict[str, str]:
        paths = [path for path in self.release.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.release)): path.read_text() for path in paths}

    def run(self, release: str, **env: str) -> subprocess.CompletedProcess[str]:
        told = {"GRIDWELL_HOME": str(self.folder), "GRIDWELL_RELEASE": release}
        return run_program(PROGRAM, told | env)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home")


def keys(workshop: Workshop, bucket: str | None = None) -> dict[str, str]:
    """The environment in which an instance would reach the region's bucket."""
    return workshop.environment() | {"GRIDWELL_BUCKET": bucket or workshop.bucket}


def publish(workshop: Workshop, data: bytes, name: str | None = None) -> str:
    sha = name or sha_of(data)
    workshop.region.client("s3").put_object(
        Bucket=workshop.bucket, Key=f"releases/{sha}.whl", Body=data
    )
    return sha


def test_the_release_on_the_image_is_unpacked_without_a_network(home: Home) -> None:
    done = home.run(home.hold(WHEEL))

    assert done.returncode == 0, done.stderr
    assert "is verified, in the image" in done.stderr
    assert home.unpacked() == {"app_tier/__init__.py": "", "app_tier/cli.py": "print('hello')"}


def test_what_an_earlier_boot_or_a_cut_short_one_left_is_gone(home: Home) -> None:
    release = home.hold(WHEEL)
    home.run(release)
    (home.release / "app_tier/injected.py").write_text("evil")
    (home.release / "app_tier/cli.py").write_text("evil")
    (home.folder / "run/release.new/half").mkdir(parents=True)

    assert home.run(release).returncode == 0

    assert home.unpacked() == {"app_tier/__init__.py": "", "app_tier/cli.py": "print('hello')"}
    assert os.listdir(home.folder / "run") == ["release"]  # noqa: PTH208 - names alone


def test_a_release_that_the_image_lacks_is_fetched_and_kept(home: Home, workshop: Workshop) -> None:
    newer = wheel_of(**{"app_tier/cli.py": "newer"})
    release = publish(workshop, newer)

    done = home.run(release, **keys(workshop))

    assert done.returncode == 0, done.stderr
    assert f"fetched from bucket {workshop.bucket}" in done.stderr
    assert home.unpacked() == {"app_tier/cli.py": "newer"}
    assert "in the image" in home.run(release).stderr


def test_a_release_is_fetched_though_the_metadata_service_fails_at_first(
    home: Home, workshop: Workshop
) -> None:
    newer = wheel_of(**{"app_tier/cli.py": "newer still"})
    release = publish(workshop, newer)
    environment = keys(workshop)
    key = environment.pop("AWS_ACCESS_KEY_ID")
    del environment["AWS_SECRET_ACCESS_KEY"]
    environment.pop("AWS_EC2_METADATA_DISABLED", None)
    with imds() as service:
        service.answers["a-role"] = json.dumps(ROLE | {"AccessKeyId": key})
        service.trouble, service.failures = "503", 2
        environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = f"{service.endpoint}/"

        done = home.run(release, **environment)

    assert done.returncode == 0, done.stderr
    assert "yet, trying again: Unable to locate credentials" in done.stderr
    assert home.unpacked() == {"app_tier/cli.py": "newer still"}


def test_a_wheel_that_rotted_on_the_image_is_fetched_anew(home: Home, workshop: Workshop) -> None:
    release = publish(workshop, WHEEL)
    home.hold(ROTTEN, release)

    done = home.run(release, **keys(workshop))

    assert done.returncode == 0, done.stderr
    assert (home.folder / f"releases/{release}.whl").read_bytes() == WHEEL


def test_a_wheel_that_rotted_and_cannot_be_fetched_is_not_run(home: Home) -> None:
    release = home.hold(ROTTEN, sha_of(WHEEL))

    done = home.run(release)

    assert done.returncode == 1
    assert f"release {release}: the image does not hold it" in done.stderr
    assert not home.release.exists()


def test_other_bytes_under_the_wanted_name_are_neither_run_nor_kept(
    home: Home, workshop: Workshop
) -> None:
    release = publish(workshop, WHEEL, name="ab" * 32)

    done = home.run(release, **keys(workshop))

    assert done.returncode == 1
    assert f"holds other bytes under its name: sha256 {sha_of(WHEEL)}" in done.stderr
    assert not home.release.exists()
    assert not list(home.folder.rglob("*.whl"))


@pytest.mark.parametrize(
    ("release", "bucket"),
    [("cd" * 32, None), (sha_of(WHEEL), "no-such")],
    ids=["release", "bucket"],
)
def test_what_the_bucket_does_not_give_is_said_with_the_buckets_name(
    home: Home, workshop: Workshop, release: str, bucket: str | None
) -> None:
    done = home.run(release, **keys(workshop, bucket))

    assert done.returncode == 1
    assert f"cannot be fetched from bucket {bucket or workshop.bucket}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["../escaped.py", "/tmp/escaped.py", "app_tier/../../escaped.py"])  # noqa: S108 - never written
def test_a_wheel_that_would_write_outside_of_its_folder_is_not_unpacked(
    home: Home, name: str
) -> None:
    before = {path for path in home.folder.parent.rglob("*") if path.is_file()}
    release = home.hold(wheel_of(**{"app_tier/cli.py": "", name: "evil"}))

    done = home.run(release)

    assert done.returncode == 1
    assert f"outside its folder: {name!r}" in done.stderr
    assert not home.release.exists()
    after = {path for path in home.folder.parent.rglob("*") if path.is_file()}
    assert after - before == {home.folder / f"releases/{release}.whl"}


def test_bytes_that_are_no_wheel_are_refused_in_words(home: Home) -> None:
    done = home.run(home.hold(b"not a zip"))

    assert done.returncode == 1
    assert "it is no wheel" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("release", ["", "latest", "../../etc/passwd", "AB" * 32, "ab" * 32 + "\n"])
def test_a_release_that_is_no_sha256_is_refused(home: Home, release: str) -> None:
    done = home.run(release)

    assert done.returncode == 1
    assert "must be a sha256" in done.stderr
