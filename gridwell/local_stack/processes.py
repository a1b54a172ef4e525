"""Child processes that live and die with us.

Each gets an environment that was built for it, its output goes to a file, and the kernel kills
it when we die, however we die.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gridwell.engine.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

STOP_SECONDS = 10.0
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
#: Loaded before any fork: a child between fork and exec must not import or allocate much.
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A started program."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def is_running(self) -> bool:
        """True if it has not ended yet."""
        return self.process.poll() is None

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """End the program: SIGTERM, wait, SIGKILL.

        Returns:
            Its exit status, negative for a signal.
        """
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.clear()
            if self.process.stdout is not None:
                self.process.stdout.close()

    def clear(self) -> None:
        """Kill what an ended program has left behind, as systemd does before it restarts a unit.

        The worker of a killed gunicorn holds its port for as long as it has requests.
        """
        # A group's number is not given away while somebody is in it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def last_lines(self, count: int = 20) -> str:
        """Return the last lines of its log, for an error message."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-count:])


def start(
    name: str,
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    log: Path,
    cwd: Path | None = None,
    user: str | None = None,
    read_output: bool = False,
) -> Child:
    """Start a program that the kernel kills when this process dies.

    Call it from the main thread: the kernel's promise is tied to the *thread* that forked, and
    a worker thread that ends would take the child along.

    Args:
        name: for messages.
        command: the program and its arguments.
        env: its whole environment; nothing is inherited.
        log: its standard error, and its output too, are appended here.
        cwd: where it starts.
        user: to run as, for programs that refuse root.
        read_output: leave its standard output to the caller, as `child.process.stdout`.

    Returns:
        The child; `stop` it.

    Raises:
        RuntimeError: called from another thread.
        ServiceError: it cannot be executed.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            f"{name} must be started from the main thread: its parent-death signal is sent when"
            f" the thread that started it ends, here {threading.current_thread().name}"
        )
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                env=dict(env),
                cwd=cwd,
                user=user,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if read_output else output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for us: we stop children in our own order
                preexec_fn=_dies_with(os.getpid()),  # noqa: PLW1509 - one call into libc, no more
            )
    except OSError as error:
        raise ServiceError(f"{name} cannot be started ({' '.join(command)}): {error}") from error
    return Child(name=name, process=process, log=log)


def _dies_with(parent: int) -> Callable[[], None]:
    def ask_kernel() -> None:
        # After any change of user, which would cancel it.
        _libc.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel knew
            os._exit(1)

    return ask_kernel
