"""Receives sd_notify messages on an abstract socket, whose name is never too long."""

from __future__ import annotations

import secrets
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


class NotifySocket:
    """The socket that NOTIFY_SOCKET names.

    Args:
        heard: called with the sender's process id and the lines of its message.
    """

    def __init__(self, heard: Callable[[int, list[str]], None]) -> None:
        self._heard = heard
        self.name = f"gridwell-notify-{secrets.token_hex(8)}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(f"\0{self.name}")

    def read(self) -> None:
        """Hand on one message."""
        data, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS.size))
        sender = 0
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                sender = _CREDENTIALS.unpack(content)[0]
        self._heard(sender, data.decode(errors="replace").splitlines())

    def close(self) -> None:
        """Release the socket."""
        self.socket.close()
