"""Showing that we are alive: to systemd's watchdog, and to the machine's deadline.

Two signs, as two things can be wrong.  Each call that returns, with whatever, says that the main
loop does not hang: without that systemd kills and restarts us (WatchdogSec).  Each call that a
queue answers says that we are of use: without that for long we end, and if we cannot even do
that, or hang again after every restart, `gridwell-deadline` switches the machine off.
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
    """Sends to the socket that systemd names in NOTIFY_SOCKET.

    The main loop feeds the watchdog as it goes on: a process that hangs in a call is alive to the
    kernel, and of no use.

    Args:
        address: a path, an abstract name that begins with "@", or None: nobody listens.
        clock: time.
    """

    def __init__(self, address: str | None, clock: Clock) -> None:
        self._address = address
        self._clock = clock
        self._fed_at = float("-inf")

    def ready(self) -> None:
        """We are up."""
        self._send("READY=1")

    def alive(self) -> None:
        """The main loop went on; sent now and then only."""
        now = self._clock.monotonic()
        if now - self._fed_at >= _EVERY_SECONDS:
            self._fed_at = now
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """We are about to end."""
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
            # Whoever listens draws the conclusion from silence; the work goes on.
            logger.warning(
                "systemd was not told %s at %s: %s",
                state,
                self._address,
                error,
                extra={"action": "worker.notify_failed"},
            )


class Contact:
    """When a queue last answered.

    Args:
        clock: time.
        sign: a file to touch when it does, for whoever watches the machine; None: nobody does.
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
        """A queue answered; the file is touched now and then only."""
        self._at = self._clock.monotonic()
        if self._sign is None or self._at - self._touched_at < _EVERY_SECONDS:
            return
        self._touched_at = self._at
        try:
            self._sign.touch()
        except OSError as error:
            # A machine that cannot write this any more will be switched off, and rightly so.
            logger.warning(
                "the sign of progress %s was not written: %s",
                self._sign,
                error,
                extra={"action": "worker.sign_failed"},
            )


class _Watched:
    """A port whose every call is told of when it returns."""

    def __init__(
        self, port: object, returned: Callable[[], None], answered: Callable[[], None]
    ) -> None:
        self._port = port
        self._returned = returned
        self._answered = answered

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The port's method, with its calls told of."""
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
    """Ports that feed the watchdog with every call, and note each answer of a queue."""

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
