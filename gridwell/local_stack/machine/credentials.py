"""The process at the other end of a Unix socket, as the kernel names it."""

from __future__ import annotations

import os
import socket
import struct
from typing import NamedTuple

_CREDENTIALS = struct.Struct("3i")
SIZE = _CREDENTIALS.size


class Credentials(NamedTuple):
    """Ids of a process, in our namespaces."""

    pid: int
    uid: int
    gid: int


def of_peer(connection: socket.socket) -> Credentials:
    """Return the credentials of the process that has connected."""
    return unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, SIZE))


def unpack(content: bytes) -> Credentials:
    """Return credentials from the kernel's form of them."""
    return Credentials(*_CREDENTIALS.unpack(content))


def are_own(sender: Credentials) -> bool:
    """Return whether a process is of our own user.

    In a user namespace of our own all other users of the machine have one id, which is never ours.
    """
    return sender.uid == os.geteuid()
