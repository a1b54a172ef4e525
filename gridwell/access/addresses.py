"""Facts about a caller that its address gives."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

_WITH_PORT: Final = re.compile(r"\[([^\[\]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")
_HOME: Final = 64  #: bits of an IPv6 address that a provider gives to one customer


def is_loopback(host: str) -> bool:
    """Return True if a host name or address is this machine's loopback."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:  # a name
        return host == "localhost"


def without_port(address: str) -> str:
    """Return an address without the brackets and the port that some proxies write.

    `192.0.2.1:99` and `[2001:db8::1]:80` give `192.0.2.1` and `2001:db8::1`; any other text is
    returned as it is.
    """
    found = _WITH_PORT.fullmatch(address)
    return address if found is None else found[1] or found[2] or ""


def network_of(address: str) -> str:
    """Return the key to count an address by: itself, or for IPv6 the network of one customer.

    A caller that may choose among 2^64 addresses would otherwise never be counted twice. A port, as
    some proxies write one, is left out.
    """
    address = without_port(address)
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # a socket file, or what a proxy made up
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    network = ipaddress.ip_network((int(found), _HOME), strict=False)
    return str(network)
