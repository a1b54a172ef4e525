"""Whose share a request counts against: a client's where its key is known, else an address's."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from gridwell.access.addresses import network_of
from web_tier.auth.authenticate import address
from web_tier.auth.caller import caller
from web_tier.auth.proxies import caller_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from web_tier.auth.seen_credentials import SeenCredentials

_FORWARDED: Final = b"x-forwarded-for"
_network_of = lru_cache(maxsize=4096)(network_of)


def client_owner(client: str) -> str:
    """Return the owner that a client is."""
    return f"client {client}"


def address_owner(network: str) -> str:
    """Return the owner that an address is, of IPv6 one /64."""
    return f"address {network}"


def owner() -> str:
    """Return the owner of the request at hand."""
    known = caller()
    return address_owner(address()) if known.key is None else client_owner(known.client)


class Owners:
    """Finds the owner of a request by its head alone.

    Args:
        credentials: those that were accepted.
        proxies: as for `web_tier.auth.proxies.trusting`.
    """

    def __init__(self, credentials: SeenCredentials, proxies: int) -> None:
        self._credentials = credentials
        self._proxies = proxies

    def of_peer(self, peer: str) -> str:
        """Return the owner of a connection that has not sent a head yet."""
        return address_owner(_network_of(peer))

    def of_head(self, peer: str, fields: Sequence[tuple[bytes, bytes]]) -> str:
        """Return the owner of a request.

        Args:
            peer: the address of the connection.
            fields: of the header, with names in lower case.
        """
        client = self._credentials.client(
            _joined(fields, b"authorization"), _joined(fields, b"cookie")
        )
        if client is not None:
            return client_owner(client)
        forwarded = [value.decode("latin-1") for name, value in fields if name == _FORWARDED]
        return self.of_peer(caller_address(peer, forwarded, self._proxies))


def _joined(fields: Iterable[tuple[bytes, bytes]], wanted: bytes) -> str | None:
    """Return the values of a field as a WSGI server joins them."""
    values = [value.decode("latin-1") for name, value in fields if name == wanted]
    return ",".join(values) if values else None
