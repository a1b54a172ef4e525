from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ami.bundle import make_bundle
from gridwell.domain.errors import ServiceError
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
    for package in ("ami", "gridwell"):
        (project / package).mkdir()
        shutil.copy(ROOT / package / "__init__.py", project / package)
    return project


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
    assert wheel == f"gridwell-{bundle.version}-py3-none-any.whl"
    assert files[wheel] == bundle.wheel
    assert files["requirements.txt"] == (ROOT / "requirements.txt").read_bytes()


def test_the_release_is_the_wheels_sha256_and_the_wheel_holds_every_package(
    bundle: Bundle,
) -> None:
    assert bundle.release == hashlib.sha256(bundle.wheel).hexdigest()
    with zipfile.ZipFile(io.BytesIO(bundle.wheel)) as wheel:
        names = wheel.namelist()
    for wanted in (
        *("app_tier/__main__.py", "gridwell/deploy/stack.yaml", "user_data/app_tier.sh.in"),
        *(f"ami/{name}" for name in (*MACHINE_FILES, "builder.sh.in")),
    ):
        assert wanted in names
    assert not [name for name in names if name.startswith("tests/") or name.endswith(".pyc")]


def test_a_change_of_the_source_is_another_release_and_another_build(project: Path) -> None:
    before = make_bundle(project)
    with (project / "gridwell/__init__.py").open("a") as source:
        source.write("# changed\n")
    after = make_bundle(project)

    assert after.release != before.release
    assert after.build("ami-1") != before.build("ami-1")


def test_another_pin_is_another_build_of_the_same_release(project: Path) -> None:
    before = make_bundle(project)
    with (project / "requirements.txt").open("a") as pins:
        pins.write("# changed\n")
    after = make_bundle(project)

    assert after.release == before.release
    assert after.build("ami-1") != before.build("ami-1")


@pytest.mark.parametrize("name", MACHINE_FILES)
def test_a_change_of_any_machine_file_is_another_build(
    bundle: Bundle, project: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = project / "machine"
    folder.mkdir()
    for file in MACHINE_FILES:
        shutil.copy(ROOT / "ami" / file, folder)
    monkeypatch.setattr("ami.bundle._build_wheel", lambda _: ("gridwell.whl", b"wheel"))
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
    (project / "README.md").unlink()

    with pytest.raises(ServiceError, match=r"cannot be built:\n(.*\n)*.*README\.md"):
        make_bundle(project)
