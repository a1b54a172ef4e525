"""deadline.sh as its unit runs it: its end is what switches the machine off."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.harness.waiting import DEADLINE
from tests.local_stack.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = ROOT / "ami" / "deadline.sh"


def start(sign: Path, seconds: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["/bin/sh", str(PROGRAM), str(sign), str(seconds)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("there", [True, False])
def test_without_a_sign_of_progress_it_ends_with_0_and_says_why(
    tmp_path: Path, *, there: bool
) -> None:
    sign = tmp_path / "progress"
    if there:
        sign.touch()  # by a worker of an earlier boot

    process = start(sign, 1)

    words, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert words == "gridwell: no worker has reached its queue for 1 s; powering off\n"


def test_each_sign_of_progress_puts_the_end_off(tmp_path: Path) -> None:
    sign = tmp_path / "progress"
    process = start(sign, 3)
    for _ in range(10):
        sign.touch()
        time.sleep(0.5)

    assert process.poll() is None
    process.communicate(timeout=DEADLINE)
    assert process.returncode == 0


def test_told_to_stop_it_does_not_end_well(tmp_path: Path) -> None:
    process = start(tmp_path / "progress", 10)
    time.sleep(0.5)

    process.send_signal(signal.SIGTERM)

    process.communicate(timeout=DEADLINE)
    assert process.returncode == 75
