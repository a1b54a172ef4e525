"""Process tree of one machine: power on, orderly shutdown, power cut.

Where the kernel allows it, the tree runs in a PID namespace, which ends as a whole with its first
process.  A process group would lose each process that calls setsid.  Elsewhere the first process
adopts all orphans, and the processes that it leaves behind are found by a mark in their
environment.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gridwell.local_stack.machine import processes

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
#: Marks all processes of an instance, for machines without PID namespaces.
MARK = "GRIDWELL_INSTANCE_FOLDER"
SWEEP_SECONDS = 0.005
PACKAGE_ROOT = Path(__file__).parents[3]


@cache
def namespace() -> tuple[str, ...]:
    """Return the prefix that puts a command into a PID namespace, or nothing where that fails.

    Unprivileged users get a user namespace as well, in which they seem to be root.
    """
    for extra in ((), ("--user", "--map-root-user")):
        prefix = (NAMESPACE[0], *extra, *NAMESPACE[1:])
        with contextlib.suppress(FileNotFoundError):
            probe = subprocess.run((*prefix, "true"), check=False, capture_output=True)
            if probe.returncode == 0:
                return prefix
    return ()


class MachineProcess:
    """A machine that has been powered on.

    Args:
        folder: the instance's.
        env: the whole environment of what runs in it.
        console: the file that its output is appended to.
    """

    def __init__(self, folder: Path, env: Mapping[str, str], console: Path) -> None:
        self._mark = str(folder)
        self._booted, booted = os.pipe()
        # -P and a built environment: nothing of the directory or the shell we were started in.
        command = [*namespace(), sys.executable, "-P", "-m", "gridwell.local_stack.machine"]
        own = {"PYTHONPATH": str(PACKAGE_ROOT), MARK: self._mark}
        try:
            with console.open("ab") as log:
                self._process = subprocess.Popen(
                    [*command, str(folder), str(booted)],
                    env={**env, **own},
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=(booted,),
                    start_new_session=True,
                )
        finally:
            os.close(booted)

    @property
    def pid(self) -> int:
        """The process whose death is the machine's."""
        return self._process.pid

    def wait_booted(self, seconds: float) -> bool:
        """Return True if the machine reports in time that it is up, False if it dies."""
        try:
            readable, _, _ = select.select([self._booted], [], [], seconds)
            return bool(readable) and os.read(self._booted, 16) != b""
        finally:
            os.close(self._booted)

    def press_power_button(self) -> None:
        """Ask for an orderly shutdown."""
        if self._process.stdin is not None:
            # It is gone already, which is as good: its pipe is broken, or closed by who waited.
            with contextlib.suppress(OSError, ValueError):
                self._process.stdin.write(b"stop\n")
                self._process.stdin.flush()

    def cut_power(self) -> None:
        """Kill the machine and all that runs in it."""
        self._process.kill()

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait for the machine to be off and nothing of it to be left.

        Returns:
            The exit status of its first process, 0 for an orderly shutdown; None after `seconds`.
        """
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # an unread stop in a broken pipe
                self._process.stdin.close()
        self._sweep()
        return status

    def _sweep(self) -> None:
        """Wait until nothing of the machine is left.

        In a namespace the kernel is already killing it; elsewhere we must.
        """
        while left := processes.marked(MARK, self._mark):
            processes.send(left, signal.SIGKILL)
            for pid in left:
                with contextlib.suppress(ChildProcessError):  # in a namespace: not ours to reap
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(SWEEP_SECONDS)
