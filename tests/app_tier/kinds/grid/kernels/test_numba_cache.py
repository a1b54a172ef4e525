"""Machine code on disk is never that of other sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba", reason="numba is not installed: pip install 'gridwell[fast]'")

from app_tier.kinds.grid.kernels import numba_compile

pytestmark = pytest.mark.system

SOURCES = Path(numba_compile.__file__).parent
FILES = [file.relative_to(SOURCES).as_posix() for file in sorted(SOURCES.rglob("*.py"))]

CONSTANTS = "FACTOR = 3.0\n"
CALLED = """
from {package}.constants import FACTOR
from {package}.{jit} import compiled

@compiled
def scaled(x):
    return FACTOR * x
"""
CALLER = """
from {package}.called import scaled
from {package}.{jit} import compiled

@compiled
def answer(x):
    return scaled(x) + 1.0

print(answer(2.0), sum(answer.stats.cache_hits.values()))
"""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    copy = tmp_path / "kernels"
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_the_folder_of_equal_sources_is_the_same(copied: Path) -> None:
    assert numba_compile.fingerprint(copied) == numba_compile.fingerprint(SOURCES)


@pytest.mark.parametrize("name", FILES)
def test_the_folder_changes_with_any_kernel_source(copied: Path, name: str) -> None:
    file = copied / name

    file.write_bytes(file.read_bytes() + b"\n")

    assert numba_compile.fingerprint(copied) != numba_compile.fingerprint(SOURCES)


def test_the_folder_changes_with_a_file_more_or_of_another_name(copied: Path) -> None:
    (copied / "another.py").touch()
    more = numba_compile.fingerprint(copied)
    (copied / "another.py").rename(copied / "other.py")

    assert len({numba_compile.fingerprint(SOURCES), more, numba_compile.fingerprint(copied)}) == 3


def test_the_kernels_keep_their_machine_code_in_that_folder() -> None:
    folder = numba_compile.cache_folder()

    assert folder is not None
    assert folder.name == f"gridwell-{numba_compile.fingerprint(SOURCES)}"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of its own: a compiled function calls one of another file, which has a constant."""
    folder = tmp_path / "some_kernels"
    folder.mkdir()
    names = {"package": folder.name, "jit": Path(numba_compile.__file__).stem}
    (folder / "__init__.py").touch()
    shutil.copy(numba_compile.__file__, folder)
    (folder / "constants.py").write_text(CONSTANTS)
    (folder / "called.py").write_text(CALLED.format(**names))
    (folder / "caller.py").write_text(CALLER.format(**names))
    return folder


def answer(package: Path, **environment: str) -> tuple[float, int]:
    """What the package's function returns for 2, and how often its machine code was on the disk."""
    done = subprocess.run(
        [sys.executable, "-m", f"{package.name}.caller"],
        cwd=package.parent,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    value, hits = done.stdout.split()
    return float(value), int(hits)


def change(package: Path) -> None:
    (package / "constants.py").write_text(CONSTANTS.replace("3.0", "5.0"))


@pytest.mark.parametrize("chosen", ["", "elsewhere"], ids=["in the tree", "NUMBA_CACHE_DIR"])
def test_machine_code_is_stale_when_a_constant_changes_in_another_file(
    package: Path, chosen: str
) -> None:
    environment = {"NUMBA_CACHE_DIR": str(package.parent / chosen) if chosen else ""}
    assert answer(package, **environment) == (7.0, 0)
    assert answer(package, **environment) == (7.0, 1)

    change(package)

    assert answer(package, **environment) == (11.0, 0)


def test_nothing_is_kept_where_the_folder_cannot_be_written(package: Path) -> None:
    folder = package / "__pycache__" / f"gridwell-{numba_compile.fingerprint(package)}"
    folder.parent.mkdir()
    folder.write_text("a file, below which nothing can be written")
    assert answer(package) == (7.0, 0)
    assert answer(package) == (7.0, 0)
    folder.unlink()
    assert answer(package) == (7.0, 0)
    assert answer(package) == (7.0, 1)
