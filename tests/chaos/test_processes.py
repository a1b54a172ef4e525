from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

from tests.end_to_end.processes import Family, Process
from tests.harness.waiting import await_true


def started(*arguments: str) -> tuple[subprocess.Popen[bytes], Process]:
    """A child of ours, as a look at the family shows it."""
    child = subprocess.Popen([sys.executable, *arguments, "import time; time.sleep(60)"])
    (found,) = [p for p in Family(os.getpid()).processes() if p.pid == child.pid]
    return child, found


def test_a_process_is_signalled_and_one_that_took_its_id_is_not() -> None:
    child, found = started("-c")

    assert not replace(found, start="1").signal(signal.SIGKILL)
    assert child.poll() is None
    assert found.signal(signal.SIGKILL)
    assert child.wait(10) == -signal.SIGKILL
    assert not found.signal(signal.SIGKILL)


def test_who_has_ended_is_not_found_though_nobody_has_noticed() -> None:
    child, found = started("-c")
    found.signal(signal.SIGKILL)

    await_true(lambda: child.pid not in [p.pid for p in Family(os.getpid()).processes()], 10)
    child.wait()


def test_a_process_is_known_by_its_module_and_first_arguments() -> None:
    process = Process(
        pid=1, parent=0, start="1", arguments=("python", "-P", "-m", "web_tier", "collect")
    )

    assert process.runs("web_tier")
    assert process.runs("web_tier", "collect")
    assert not process.runs("web_tier", "serve")
    assert not process.runs("web")
