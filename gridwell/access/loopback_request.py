"""Requests to services that only programs of the same machine may call.  Pure.

A service on a loopback address is reached by every web page that a browser of the machine has
open.  A page shows itself in three ways: browsers add `Origin` or `Sec-Fetch-*` to its requests,
and a page that lets its own name lead to 127.0.0.1 (DNS rebinding) is given away by `Host`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.access.addresses import is_loopback
from gridwell.access.host_header import parse_host

if TYPE_CHECKING:
    from collections.abc import Iterable

BAD_REQUEST: Final = 400
FORBIDDEN: Final = 403
_SHOWN: Final = 60  #: characters of what a caller has sent
_OF_BROWSERS: Final = re.compile(r"origin|sec-fetch-.*", re.IGNORECASE)
_ABSOLUTE: Final = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LoopbackRefusal:
    """The reason for which a request is refused."""

    status: int  #: of HTTP
    reason: str


def page_refusal(names: Iterable[str]) -> LoopbackRefusal | None:
    """Refuse a request that a browser makes on behalf of a page.

    Args:
        names: of the request's headers.

    Returns:
        The refusal; None for a request without a browser's headers.
    """
    for name in names:
        if _OF_BROWSERS.fullmatch(name):
            return LoopbackRefusal(
                FORBIDDEN, f"requests of web pages are refused; this one has {name!r}"
            )
    return None


def host_refusal(*, target: str, version: str, hosts: list[str]) -> LoopbackRefusal | None:
    """Refuse a request that asks for another host than this machine's loopback.

    Args:
        target: of the request line: a path, `*`, or an absolute address.
        version: of HTTP, like ``HTTP/1.1``.
        hosts: the values of all `Host` headers.

    Returns:
        The refusal; None for a loopback host.
    """
    # No browser speaks HTTP/1.0, whose requests need no Host.
    if not hosts and version >= "HTTP/1.1":
        return LoopbackRefusal(BAD_REQUEST, "the Host header is missing")
    if len(hosts) > 1:
        return LoopbackRefusal(BAD_REQUEST, f"there are {len(hosts)} Host headers; send one")
    absolute = _ABSOLUTE.match(target)
    if absolute is not None:
        hosts = [*hosts, absolute[1]]
    elif target != "*" and not target.startswith("/"):
        return LoopbackRefusal(
            BAD_REQUEST, f"{target[:_SHOWN]!r} is no path; it must begin with '/'"
        )
    for host in hosts:
        if not _is_loopback(host):
            return LoopbackRefusal(
                FORBIDDEN,
                f"host {host[:_SHOWN]!r} is not this machine's; ask for 127.0.0.1, localhost or"
                " [::1], each with its port",
            )
    return None


def _is_loopback(host: str) -> bool:
    found = parse_host(host)
    if found is None or found.port == 0 or host.rstrip().endswith(":"):
        return False
    return is_loopback(found.name)
