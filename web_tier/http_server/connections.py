"""The open connections of a process by owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gunicorn.workers.gthread import TConn

    from web_tier.auth.owners import Owners


def peer(conn: TConn) -> str:
    """Return the address of a connection; a socket file has none."""
    return conn.client[0] if isinstance(conn.client, tuple) else ""


class Connections:
    """Owners of connections: by address, and after each request by its header fields.

    Args:
        owners: finds them.
    """

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        self._owner: dict[TConn, str] = {}
        self._conns: dict[str, dict[TConn, None]] = {}  #: of each owner, the oldest first

    def add(self, conn: TConn) -> None:
        """Count a new connection."""
        self._own(conn, self._owners.of_peer(peer(conn)))

    def read_head(self, conn: TConn, fields: list[tuple[bytes, bytes]]) -> None:
        """Count a connection by the header fields of its latest request."""
        self._own(conn, self._owners.of_head(peer(conn), fields))

    def owner(self, conn: TConn) -> str:
        """Return the owner of a connection."""
        return self._owner[conn]

    def remove(self, conn: TConn) -> None:
        """Forget a connection."""
        owner = self._owner.pop(conn, None)
        if owner is not None:
            del self._conns[owner][conn]
            if not self._conns[owner]:
                del self._conns[owner]

    def by_owner(self) -> Iterator[list[TConn]]:
        """Iterate over the connections of each owner, beginning with the owner of the most."""
        conns = self._conns
        for owner in sorted(conns, key=lambda owner: len(conns[owner]), reverse=True):
            yield list(conns[owner])

    def _own(self, conn: TConn, owner: str) -> None:
        if self._owner.get(conn) != owner:
            self.remove(conn)
            self._owner[conn] = owner
            self._conns.setdefault(owner, {})[conn] = None
