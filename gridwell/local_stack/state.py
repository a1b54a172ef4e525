"""Folder of a local region: its lock, and the addresses of the programs that run in it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gridwell.engine.errors import ServiceError
from gridwell.local_stack.private_folder import (
    check_own,
    check_private,
    make_private,
    write_private,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOK_SECONDS = 0.1

#: The option by which commands name the folder of a local stack.
state_option = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".gridwell"),
    envvar="GRIDWELL_STATE",
    show_default=True,
    help="Folder of the local region: images, instances, logs.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Addresses and environment of a running stack, for other commands."""

    url: str  #: of the web tier
    endpoint: str  #: of the region's API
    memcached: str
    max_instances: int
    #: with the region's access key among them: these variables are a secret
    environment: dict[str, str]  #: with which other commands reach this region and its stack

    @property
    def access_key(self) -> str:
        """The id of the access key that the region demands."""
        return self.environment.get("AWS_ACCESS_KEY_ID", "")


@dataclass(frozen=True, slots=True)
class StateFolder:
    """A folder of mode 0700 that at most one local stack holds at a time.

    Shells evaluate its content (`gridwell local env`), and its programs are sent signals.  So a
    file in it is read only if the caller owns it.
    """

    path: Path

    @property
    def logs(self) -> Path:
        """The folder of the programs' logs."""
        return self.path / "logs"

    @property
    def cache_socket(self) -> Path:
        """The socket file of memcached."""
        return self.path / "memcached.sock"

    @property
    def consoles(self) -> Path:
        """The folder of the instances' console logs."""
        return self.path / "consoles"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Lock the folder; the kernel releases the lock however the process ends.

        Raises:
            ServiceError: another stack holds it, or it is another user's.
        """
        make_private(self.path)
        with contextlib.suppress(FileNotFoundError):
            check_own(self._lock_file)
        with self._lock_file.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ServiceError(
                    f"a local stack (process {self.holder()}) already runs in {self.path}: "
                    "end it with `gridwell local down`, or name another folder with --state"
                ) from error
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            self._running_file.unlink(missing_ok=True)
            try:
                yield
            finally:
                self._running_file.unlink(missing_ok=True)

    def holder(self) -> int | None:
        """Return the process that holds the folder, or None.

        Raises:
            ServiceError: the folder, or a file of it, is or may be another user's.
        """
        try:
            check_private(self.path)
            check_own(self._lock_file)
            with self._lock_file.open("r") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(lock.read() or "0") or None
        except FileNotFoundError:
            pass
        return None

    def announce(self, running: Running) -> None:
        """Write the file by which other commands find the stack; it has the region's access key."""
        write_private(self._running_file, json.dumps(asdict(running), indent=2) + "\n")

    def running(self) -> Running | None:
        """Return the running stack, or None if none is up yet.

        Raises:
            ServiceError: the folder, or a file of it, is or may be another user's.
        """
        if self.holder() is None:
            return None
        try:
            check_own(self._running_file)
            return Running(**json.loads(self._running_file.read_text()))
        except FileNotFoundError:
            return None

    def end_holder(self, *, seconds: float) -> bool:
        """End the stack that holds the folder, and wait until it has ended.

        Returns:
            True if there was one.

        Raises:
            ServiceError: it did not end in time.
        """
        holder = self.holder()
        if holder is None:
            return False
        os.kill(holder, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while self.holder() == holder:
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"process {holder} did not end within {seconds:g} s; look at {self.logs}"
                )
            time.sleep(_LOOK_SECONDS)
        # It unlocks the folder just before it exits; afterwards its process must have gone too.
        while _is_alive(holder) and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        return True

    @property
    def _lock_file(self) -> Path:
        return self.path / "lock"

    @property
    def _running_file(self) -> Path:
        return self.path / "running.json"


def _is_alive(pid: int) -> bool:
    """Return True if a process runs and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return not stat.rpartition(")")[2].startswith(" Z")
