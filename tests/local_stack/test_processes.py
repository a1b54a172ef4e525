import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gridwell.engine.errors import ServiceError
from gridwell.local_stack.processes import start
from tests.harness.waiting import await_true

ENV = {"PATH": os.defpath, "ONLY": "this"}
PARENT = """
import os, signal
from pathlib import Path
from gridwell.local_stack.processes import start
child = start("sleeper", ["sleep", "60"], env={"PATH": os.defpath}, log=Path("log"))
print(child.process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_gets_its_built_environment_and_its_log(tmp_path: Path) -> None:
    child = start("env", ["env"], env=ENV, log=tmp_path / "logs/env.log")

    assert child.process.wait() == 0
    assert set(child.last_lines().splitlines()) >= {"ONLY=this"}
    assert "HOME" not in child.last_lines()


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    parent = subprocess.run(
        [sys.executable, "-c", PARENT],
        check=False,
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert parent.returncode == -signal.SIGKILL

    await_true(lambda: not is_alive(int(parent.stdout)))


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    script = 'trap "" TERM; echo deaf; while :; do sleep 0.05; done'
    child = start("deaf", ["sh", "-c", script], env=ENV, log=tmp_path / "log", read_output=True)
    assert child.process.stdout is not None
    assert child.process.stdout.readline() == b"deaf\n"

    assert child.stop(0.2) == -signal.SIGKILL


def test_what_a_killed_child_leaves_behind_is_ended_before_it_is_started_again(
    tmp_path: Path,
) -> None:
    # As gunicorn leaves its worker, which would hold the port for seconds.
    script = "sleep 60 & echo $!; kill -KILL $$"
    child = start("left", ["sh", "-c", script], env=ENV, log=tmp_path / "log", read_output=True)
    assert child.process.stdout is not None
    orphan = int(child.process.stdout.readline())
    assert child.process.wait() == -signal.SIGKILL
    assert is_alive(orphan)

    child.clear()

    await_true(lambda: not is_alive(orphan))
    child.clear()  # nothing is left, which is no error
    child.process.stdout.close()


def test_a_child_cannot_be_started_from_a_thread_that_would_take_it_along(tmp_path: Path) -> None:
    errors: list[Exception] = []

    def try_it() -> None:
        try:
            start("sleeper", ["sleep", "60"], env=ENV, log=tmp_path / "log")
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()

    assert "from the main thread" in str(errors[0])


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="nonesuch cannot be started"):
        start("nonesuch", ["/nonesuch"], env=ENV, log=tmp_path / "log")
