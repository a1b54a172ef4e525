"""Telling systemd that we are up and alive (sd_notify), by the standard library alone."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gridwell.domain.ports import Clock

logger = logging.getLogger(__name__)

_EVERY_SECONDS: Final = 5.0  #: systemd's limit is minutes


class Notifier:
    """Sends to the socket that systemd names in NOTIFY_SOCKET.

    The main loop feeds the watchdog as it goes round: a process that hangs in a call is alive to
    the kernel, and of no use.

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
        """The main loop went round; sent now and then only."""
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
