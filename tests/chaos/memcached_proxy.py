"""Stands between the programs and memcached, and kills whom it is told at a command.

What the fault layer is to AWS's calls, for the one service that is not of the region.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.local_stack.faults.calling_process import Callers
from gridwell.local_stack.faults.plan import is_program
from gridwell.local_stack.memcached import connect

if TYPE_CHECKING:
    from pathlib import Path

_PIECE: Final = 65_536


@dataclass(frozen=True, slots=True)
class Point:
    """Where somebody shall be killed."""

    program: str  #: as in ``python -m``
    command: str  #: memcached's
    after: bool  #: when the command has had its effect


class CacheRelay:
    """Listens on a port of its own, and passes everything on.

    Args:
        state: the stack's folder: only its programs are ever killed.
    """

    def __init__(self, state: Path) -> None:
        self.hit = 0  #: how many were killed
        self._callers = Callers(state)
        self._to: str | None = None
        self._point: Point | None = None
        self._lock = threading.Lock()
        self._links: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        threading.Thread(target=self._accept, name="cache relay", daemon=True).start()

    @property
    def address(self) -> str:
        """As host:port."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def lead(self, address: str) -> None:
        """Pass everything on to this memcached from now on, on new connections."""
        with self._lock:
            self._to = address
            links = list(self._links)
        for link in links:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def arm(self, point: Point | None) -> None:
        """Kill the next program that comes to a point; None: nobody."""
        with self._lock:
            self._point = point

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            to = self._to
            if to is None:
                return
            # Whoever of both has gone, the other is told by the end of its connection.
            with contextlib.suppress(OSError), connect(to, 5.0) as cache:
                with self._lock:
                    self._links.add(client)
                try:
                    self._pass_on(client, cache)
                finally:
                    with self._lock:
                        self._links.discard(client)

    def _pass_on(self, client: socket.socket, cache: socket.socket) -> None:
        due: Point | None = None
        asked = False  # the rest of a long value is no command
        while True:
            for source in select.select([client, cache], [], [])[0]:
                piece = source.recv(_PIECE)
                if not piece:
                    return
                if source is client:
                    if not asked:
                        due = self._reached(client, piece)
                        if due is not None and not due.after:
                            self._kill(client)
                            return
                    asked = True
                    cache.sendall(piece)
                else:
                    if due is not None:
                        self._kill(client)
                        return
                    asked = False
                    client.sendall(piece)

    def _reached(self, client: socket.socket, piece: bytes) -> Point | None:
        """The point at which a command is, which is taken for that."""
        command = piece.split(None, 1)[0].decode(errors="replace")
        with self._lock:
            point = self._point
            if point is None or point.command != command:
                return None
            if not is_program(point.program, self._callers.program(client)):
                return None
            self._point = None
            return point

    def _kill(self, client: socket.socket) -> None:
        self.hit += len(self._callers.kill(client))
