"""Check of the Host header against DNS rebinding.

A page of evil.example may let its own name resolve to 127.0.0.1.  To the browser it then has the
same origin as this server, and may read and send everything that needs no key.  Only the name in
Host reveals it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridwell.access.addresses import is_loopback
from gridwell.access.host_header import parse_host

if TYPE_CHECKING:
    from collections.abc import Collection


def name_of(host: str) -> str:
    """Return the name in a Host header, without its port; empty where the header is malformed."""
    found = parse_host(host)
    return "" if found is None else found.name


def is_ours(host: str | None, names: Collection[str]) -> bool:
    """Return True if the header Host names this machine's loopback, or one of some names.

    Args:
        host: the header; None if there is none, which browsers always send.
        names: in lower case, without ports.
    """
    if not host:
        return True
    name = name_of(host)
    return bool(name) and (is_loopback(name) or name in names)
