"""Signs of life: for systemd's watchdog, and for the machine's deadline.

Report two signals.  Every call that returns, with an error too, proves that the main loop does not
hang: without it systemd kills and restarts the worker (WatchdogSec).  Every call that a queue
answers proves that the worker can work: without it for long the worker ends.  If it cannot even
end, or hangs after every restart, `gridwell-deadline` switches the machine off.
"""

from __future__ import annotations

import logging
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app_tier.worker.context import WorkerPorts
    from gridwell.engine.ports import Clock

logger = logging.getLogger(__name__)

_EVERY_SECONDS: Final = 5.0  #: systemd's limit is minutes


class Notifier:
    """Sender to the socket that systemd names in NOTIFY_SOCKET.

    The main loop feeds the watchdog as it goes on: a process that hangs in a call is alive to the
    kernel alone.

    Args:
        address: a path, or an abstract name that begins with "@"; None: there is no listener.
        clock: time.
    """

    def __init__(self, address: str | None, clock: Clock) -> None:
        self._address = address
        self._clock = clock
        self._fed_at = float("-inf")

    def ready(self) -> None:
        """Report that the worker is up."""
        self._send("READY=1")

    def alive(self) -> None:
        """Report that the main loop went on; sent now and then only."""
        now = self._clock.monotonic()
        if now - self._fed_at >= _EVERY_SECONDS:
            self._fed_at = now
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Report that the worker is about to end."""
        self._send("STOPPING=1")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        name = self._address
        if name.startswith("@"):
            name = "\0" + name[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)  # noqa: FBT003 - the standard library's signature
                sender.sendto(state.encode(), name)
        except OSError as error:
            # systemd acts on silence; the work goes on.
            logger.warning(
                "sending %s to systemd at %s failed: %s",
                state,
                self._address,
                error,
                extra={"action": "worker.notify_failed"},
            )


class Contact:
    """The time of the last answer of a queue.

    Args:
        clock: time.
        sign: a file to touch at an answer, for the machine's deadline; None: there is none.
    """

    def __init__(self, clock: Clock, sign: Path | None) -> None:
        self._clock = clock
        self._sign = sign
        self._at = clock.monotonic()  # a start is no answer, but the wait begins here
        self._touched_at = float("-inf")

    @property
    def silence(self) -> float:
        """Seconds without an answer."""
        return self._clock.monotonic() - self._at

    def made(self) -> None:
        """Note that a queue answered; the file is touched now and then only."""
        self._at = self._clock.monotonic()
        if self._sign is None or self._at - self._touched_at < _EVERY_SECONDS:
            return
        self._touched_at = self._at
        try:
            self._sign.touch()
        except OSError as error:
            # A machine that cannot write this any more will be switched off, and rightly so.
            logger.warning(
                "writing the sign of progress %s failed: %s",
                self._sign,
                error,
                extra={"action": "worker.sign_failed"},
            )


class _Watched:
    """A port that reports the end of each of its calls."""

    def __init__(
        self, port: object, returned: Callable[[], None], answered: Callable[[], None]
    ) -> None:
        self._port = port
        self._returned = returned
        self._answered = answered

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return the port's method; the end of its calls is reported."""
        method = getattr(self._port, name)

        def call(*args: Any, **options: Any) -> Any:
            try:
                answer = method(*args, **options)
            finally:
                self._returned()
            self._answered()
            return answer

        setattr(self, name, call)
        return call


def watched(ports: WorkerPorts, notifier: Notifier, contact: Contact) -> WorkerPorts:
    """Return ports that feed the watchdog with every call, and note each answer of a queue."""

    def queue(port: object) -> Any:
        return _Watched(port, notifier.alive, contact.made)

    def other(port: object) -> Any:
        return _Watched(port, notifier.alive, lambda: None)

    return replace(
        ports,
        chunks=queue(ports.chunks),
        results=queue(ports.results),
        store=other(ports.store),
        jobs=other(ports.jobs),
        fleet=other(ports.fleet),
    )
