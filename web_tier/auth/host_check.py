"""Whether a request asks for this server by a name of its own.  Pure.

A page of evil.example may let its own name lead to 127.0.0.1 (DNS rebinding).  To the browser it is
then of the same origin as we are, and may read and send whatever needs no key; only the name in
Host gives it away.
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
    """Whether the header Host names this machine's loopback, or one of some names.

    Args:
        host: the header; browsers always send it, and who sends none is no browser.
        names: in lower case, without ports.
    """
    if not host:
        return True
    name = name_of(host)
    return bool(name) and (is_loopback(name) or name in names)
