"""From what a caller shows to the key that the ledger holds."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from flask import request

from gridwell.domain.access import KeyState, PresentedKey, is_key
from gridwell.domain.address import network_of
from web_tier.access import refusals

if TYPE_CHECKING:
    from gridwell.domain.access import AccessKey
    from web_tier.access.keyring import Keyring
    from web_tier.access.policy import Access

logger = logging.getLogger(__name__)

COOKIE: Final = "gridwell_key"
_FAILURES: Final = "failures"


def shown() -> str | None:
    """The key in the request: a header's, or else a browser's."""
    header = request.headers.get("Authorization")
    if header is None:
        return request.cookies.get(COOKIE)
    scheme, _, text = header.partition(" ")
    return text.strip() if scheme.lower() == "bearer" else header


def identify(text: str | None, access: Access, keyring: Keyring, *, now: float) -> AccessKey:
    """The key that a caller shows.

    Args:
        text: what is shown; None: nothing.
        access: counts those who show wrong ones.
        keyring: where keys are looked up.
        now: the time.

    Raises:
        Refused: if it opens nothing, or too many from there did not.
        ServiceBusy: if the ledger cannot tell.
    """
    if text is None:
        raise refusals.key_missing()
    presented = PresentedKey.parse(text)
    key = None if presented is None else _found(presented, access, keyring)
    if key is None or presented is None or not is_key(presented, key):
        raise _failure(presented, access)
    state = key.state(now)
    if state is not KeyState.ACTIVE:
        raise refusals.key_over(key, state)
    return key


def address() -> str:
    """What to count the caller's address by."""
    return network_of(request.remote_addr or "")


def _found(presented: PresentedKey, access: Access, keyring: Keyring) -> AccessKey | None:
    """What the ledger has; it is not asked for one who has been wrong too often."""
    lookup = keyring.remembered(presented.id)
    if lookup is None:
        standing = access.rates.look(access.failure_limit, _FAILURES, address())
        if not standing.within:
            raise refusals.too_many_failures(standing)
        lookup = keyring.look_up(presented.id)
    return lookup.key


def _failure(presented: PresentedKey | None, access: Access) -> refusals.Refused:
    where = address()
    standing = access.rates.take(access.failure_limit, _FAILURES, where)
    if not standing.within:
        return refusals.too_many_failures(standing)
    logger.warning(
        "a wrong key from %s, %s",
        where,
        "of no form" if presented is None else f"of id {presented.id}",
        extra={"action": "access.wrong", "address": where},
    )
    return refusals.key_wrong()
