"""Access policy of an application."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gridwell.adapters.memcached.rate_limits import CountedRates
from web_tier.auth.seen_credentials import SeenCredentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridwell.access.ports import Rates
    from web_tier.auth.key_cache import KeyCache
    from web_tier.auth.route_rules import RouteKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Keys, rates and limits of an application; without a keyring all callers are one client."""

    keyring: KeyCache | None = None
    rates: Rates = field(default_factory=CountedRates)
    limits: Mapping[RouteKind, str] = field(
        default_factory=dict
    )  #: a kind without one is not limited
    failure_limit: str = "20/minute"  #: wrong keys from one address
    #: the names by which the server may be asked for, besides this machine's; None: any
    hosts: frozenset[str] | None = frozenset()
    #: accepted credentials, to count requests by client before they are authenticated
    credentials: SeenCredentials = field(default_factory=SeenCredentials)
    proxies: int = 0  #: number of own proxies in front; only their forwarded headers count
