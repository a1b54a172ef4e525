"""Two set-ups of one checkout at once: the second waits for the first and installs nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Stands for Python: creates no environment, and its pip waits until the file `go` is there.
PYTHON = f"""#!/bin/sh
case "$*" in
"-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
"-m pip"*)
    echo install >>installs
    while [ ! -e go ]; do sleep 0.01; done ;;
*) exec {sys.executable} "$@" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "scripts").mkdir(parents=True)
    for name in ("setup.sh", "packages.sh"):
        shutil.copy2(ROOT / "scripts" / name, folder / "scripts" / name)
    for name in ("requirements.txt", "pyproject.toml"):
        (folder / name).touch()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("memcached", "curl", "setsid"):
        (programs / name).symlink_to("/bin/true")
    (programs / "python3").write_text(PYTHON)
    (programs / "python3").chmod(0o755)
    return folder


def start(checkout: Path) -> subprocess.Popen[str]:
    path = f"{checkout.parent / 'bin'}:{os.environ['PATH']}"
    return subprocess.Popen(
        [checkout / "scripts/setup.sh"],
        env={"PATH": path},
        stderr=subprocess.PIPE,
        text=True,
    )


def heard(process: subprocess.Popen[str], words: str) -> str:
    """Read what a set-up writes until it writes some words, or ends."""
    assert process.stderr is not None
    lines = ""
    for line in process.stderr:
        lines += line
        if words in line:
            return lines
    return lines


def test_a_second_set_up_waits_for_the_first_and_installs_nothing(checkout: Path) -> None:
    with start(checkout) as first:
        heard(first, "installing the pinned packages")
        with start(checkout) as second:
            waiting = heard(second, "waiting")
            (checkout / "go").touch()
            after = heard(first, "ready")
            end = heard(second, "ready")

    assert (first.returncode, second.returncode) == (0, 0)
    assert waiting == "setup: another set-up of this checkout is running; waiting for it\n"
    assert (after, end) == ("setup: ready\n", "setup: ready\n")
    assert (checkout / "installs").read_text().split() == ["install"] * 2  # pins, and the project
    assert (checkout / "pyproject.toml").read_bytes() == b""


def test_a_second_set_up_does_the_work_of_one_that_failed(checkout: Path) -> None:
    with start(checkout) as first:
        heard(first, "installing the pinned packages")
        with start(checkout) as second:
            heard(second, "waiting")
            first.kill()
            (checkout / "go").touch()  # what the first has started ends, and its lock with it
            heard(second, "ready")

    assert second.returncode == 0
    assert (checkout / ".venv/ready").exists()


def test_a_set_up_repeated_alone_installs_again(checkout: Path) -> None:
    (checkout / "go").touch()
    for _ in range(2):
        with start(checkout) as process:
            heard(process, "ready")
        assert process.returncode == 0

    assert len((checkout / "installs").read_text().split()) == 4
