"""Another user of the machine, for tests of what such a one must not reach."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from tests.harness.waiting import DEADLINE

if TYPE_CHECKING:
    from pathlib import Path

NOBODY: Final = 65534
#: Not the interpreter of these tests, which may be in a home folder.
PYTHON: Final = shutil.which("python3", path="/usr/bin:/usr/local/bin")

needs_another_user = pytest.mark.skipif(
    os.geteuid() != 0 or PYTHON is None,
    reason="only root runs programs as another user, by a python3 that all may run",
)


def run_as_nobody(
    program: str, *arguments: str, given: str = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """What a Python program writes that another user runs.

    Args:
        program: text that needs the standard library alone.
        arguments: for `sys.argv`.
        given: on its standard input.
        cwd: from where it may use relative paths, also below folders that are closed to it.
    """
    assert PYTHON is not None, "mark the test with needs_another_user"
    return subprocess.run(
        [PYTHON, "-I", "-c", program, *arguments],
        input=given,
        cwd=cwd,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        env={},
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE,
    )
