"""Receiver of sd_notify messages on an abstract socket, whose name is never too long."""

from __future__ import annotations

import secrets
import socket
from typing import TYPE_CHECKING

from gridwell.local_stack.machine import credentials

if TYPE_CHECKING:
    from collections.abc import Callable


class NotifySocket:
    """The socket that NOTIFY_SOCKET names.

    Args:
        on_message: called with the sender's process id and the lines of its message.
    """

    def __init__(self, on_message: Callable[[int, list[str]], None]) -> None:
        self._on_message = on_message
        self.name = f"gridwell-notify-{secrets.token_hex(8)}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(f"\0{self.name}")

    def read(self) -> None:
        """Hand on one message of a process of our own user; drop any other."""
        data, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(credentials.SIZE))
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                sender = credentials.unpack(content)
                # Every user of the machine can read the socket's name, in /proc/net/unix.
                if credentials.are_own(sender):
                    self._on_message(sender.pid, data.decode(errors="replace").splitlines())

    def close(self) -> None:
        """Release the socket."""
        self.socket.close()
