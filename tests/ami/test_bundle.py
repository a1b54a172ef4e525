from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ami.bundle import make_bundle
from ami.pins import pins_of
from gridwell.engine.errors import ServiceError
from tests.local_stack.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from ami.bundle import Bundle

MACHINE_FILES = (
    "deadline.sh",
    "gridwell-deadline.service",
    "gridwell-release.service",
    "gridwell-worker.service",
    "provision.sh",
    "release.py",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with all that matters and little of it: what it holds is not run here."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, project)
    for package in ("app_tier", "gridwell"):
        (project / package).mkdir()
        shutil.copy(ROOT / package / "__init__.py", project / package)
    (project / "app_tier/__main__.py").write_text("import gridwell\n")
    return project


def change_pin(project: Path, name: str) -> None:
    """Pin another version of a package."""
    file = project / "requirements.txt"
    text, count = re.subn(rf"(?m)^({name}==)", r"\g<1>1!", file.read_text())
    assert count
    file.write_text(text)


def files_of(bundle: Bundle) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(bundle.archive)) as archive:
        return {
            entry.name: file.read()
            for entry in archive
            if (file := archive.extractfile(entry)) is not None
        }


def test_equal_sources_give_equal_bytes_whenever_and_wherever_they_were_checked_out(
    project: Path,
) -> None:
    first = make_bundle(project)
    elsewhere = project.with_name("elsewhere")
    shutil.copytree(project, elsewhere)
    for path in elsewhere.rglob("*"):
        os.utime(path, (1e9, 1e9))
    (elsewhere / "gridwell/__init__.py").chmod(0o600)

    assert make_bundle(elsewhere) == first


def test_the_bundle_holds_the_wheel_the_pins_and_the_machines_files(bundle: Bundle) -> None:
    files = files_of(bundle)
    (wheel,) = (name for name in files if name.endswith(".whl"))

    assert sorted(files) == sorted([wheel, "requirements.txt", *MACHINE_FILES])
    assert wheel == f"gridwell_worker-{bundle.version}-py3-none-any.whl"
    assert files[wheel] == bundle.wheel
    assert files["requirements.txt"] == bundle.pins.encode()


def test_the_bundles_pins_are_those_of_the_checkout_that_a_worker_needs(bundle: Bundle) -> None:
    every = set(pins_of((ROOT / "requirements.txt").read_text()))
    some = set(pins_of(bundle.pins))

    assert some < every
    names = {pin.name for pin in some}
    assert {"boto3", "botocore", "click", "numpy", "pydantic", "urllib3"} <= names
    assert not names & {"flask", "moto", "pytest", "requests", "hatchling", "colorama"}
    # An image may have another Python than the one that a bake starts from by default.
    assert len([pin for pin in some if pin.name == "numpy"]) == 2


def test_the_release_is_the_wheels_sha256(bundle: Bundle) -> None:
    assert bundle.release == hashlib.sha256(bundle.wheel).hexdigest()


def test_a_change_of_the_source_is_another_release_and_another_build(project: Path) -> None:
    before = make_bundle(project)
    with (project / "gridwell/__init__.py").open("a") as source:
        source.write("# changed\n")
    after = make_bundle(project)

    assert after.release != before.release
    assert after.build("ami-1") != before.build("ami-1")


@pytest.mark.parametrize("name", ["numpy", "botocore"])
def test_another_version_of_a_workers_package_is_another_release_and_another_build(
    project: Path, name: str
) -> None:
    before = make_bundle(project)
    change_pin(project, name)
    after = make_bundle(project)

    assert after.release != before.release
    assert after.build("ami-1") != before.build("ami-1")


def test_other_files_of_a_workers_package_are_another_build_of_the_same_release(
    project: Path,
) -> None:
    before = make_bundle(project)
    pins = project / "requirements.txt"
    pins.write_text(
        re.sub(r"(?m)^(click==.*\n.*--hash=sha256:)\w{64}", rf"\g<1>{'0' * 64}", pins.read_text())
    )
    after = make_bundle(project)

    assert after.release == before.release
    assert after.build("ami-1") != before.build("ami-1")


def test_another_version_of_a_package_that_no_worker_needs_changes_nothing(
    project: Path,
) -> None:
    before = make_bundle(project)
    change_pin(project, "flask")
    change_pin(project, "moto")
    with (project / "requirements.txt").open("a") as pins:
        pins.write("    # via nothing\n")

    assert make_bundle(project) == before


@pytest.mark.parametrize("name", MACHINE_FILES)
def test_a_change_of_any_machine_file_is_another_build(
    bundle: Bundle, project: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = project / "machine"
    folder.mkdir()
    for file in MACHINE_FILES:
        shutil.copy(ROOT / "ami" / file, folder)
    monkeypatch.setattr("importlib.resources.files", lambda _: folder)
    before = make_bundle(project)
    with (folder / name).open("a") as file_to_change:
        file_to_change.write("# changed\n")
    after = make_bundle(project)

    assert after.release == before.release
    assert after.build("ami-1") != before.build("ami-1")


def test_another_base_image_is_another_build(bundle: Bundle) -> None:
    assert bundle.build("ami-1") != bundle.build("ami-2")
    assert bundle.build("ami-1") == replace(bundle, commit="other").build("ami-1")


def test_the_commit_is_named_and_changes_on_top_of_it_are_too(project: Path) -> None:
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(project), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    without_git = make_bundle(project).commit
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message=all")
    clean = make_bundle(project).commit
    (project / "README.md").write_text("changed")

    assert without_git == "unknown"
    assert clean == git("rev-parse", "HEAD")
    assert make_bundle(project).commit == f"{clean}-dirty"


def test_a_folder_that_is_no_checkout_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=f"{tmp_path} is no checkout"):
        make_bundle(tmp_path)


def test_a_wheel_that_cannot_be_built_says_why(project: Path) -> None:
    file = project / "pyproject.toml"
    file.write_text(file.read_text().replace('requires-python = ">=', 'requires-python = "soon '))

    with pytest.raises(ServiceError, match=r"cannot be built: .*requires-python"):
        make_bundle(project)


def test_a_checkout_without_an_app_tier_is_refused_by_name(project: Path) -> None:
    shutil.rmtree(project / "app_tier")

    with pytest.raises(ServiceError, match=f"{project} has no package app_tier"):
        make_bundle(project)


@pytest.mark.parametrize(
    ("text", "reason"), [("[project\n", "TOMLDecodeError"), ("[project]\n", "'requires-python'")]
)
def test_a_project_file_that_cannot_be_read_is_named(project: Path, text: str, reason: str) -> None:
    (project / "pyproject.toml").write_text(text)

    with pytest.raises(ServiceError, match=rf"pyproject\.toml cannot be read: .*{reason}"):
        make_bundle(project)
