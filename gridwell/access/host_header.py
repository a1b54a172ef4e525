"""The Host field of a request, parsed strictly (RFC 9110, section 7.2)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_REG_NAME: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?\.?")
_PORT: Final = re.compile(r"[0-9]{0,5}")
_MOST_PORT: Final = 65_535
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class HostHeader:
    """A host, with a port if the field gives one."""

    name: str  #: in lower case, without a final dot; an address of IPv6 in brackets
    port: int | None = None


def parse_host(text: str) -> HostHeader | None:
    """Return the host that a Host field gives, or None where the field is malformed.

    Readers that take a part of a malformed field for its host disagree about which part it is, so
    the field is refused as a whole: `[::1].evil.example`, `127.0.0.1:evil`, `127.0.0.1@evil`.
    """
    text = text.strip(" \t").lower()
    if text.startswith("["):
        inside, closed, rest = text[1:].partition("]")
        try:
            name = f"[{ipaddress.IPv6Address(inside)}]"
        except ValueError:
            return None
        if not closed or "%" in inside or (rest and not rest.startswith(":")):
            return None
        port = rest[1:]
    else:
        name, _, port = text.partition(":")
        if _REG_NAME.fullmatch(name) is None:
            return None
        name = name.removesuffix(".")
    if _PORT.fullmatch(port) is None or int(port or 0) > _MOST_PORT:
        return None
    return HostHeader(name, int(port) if port else None)


def is_consistent(target: str, host: str | None) -> bool:
    """Return whether the target of a request line names no other host than the Host field.

    Args:
        target: as in the request line, such as `/jobs` or `http://localhost:8080/jobs`.
        host: the Host field; None where the request has none.
    """
    if _ABSOLUTE.match(target) is None:
        return True
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    named = parse_host(parts.netloc)
    return named is not None and host is not None and named == parse_host(host)
