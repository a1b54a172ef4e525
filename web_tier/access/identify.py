"""From what a caller shows to the key that the ledger holds."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from flask import request

from gridwell.domain.access import KeyState, PresentedKey, is_key
from gridwell.domain.address import network_of
from web_tier.access import refusals
from web_tier.access.keyring import LIST_SECONDS

if TYPE_CHECKING:
    from gridwell.domain.access import AccessKey
    from web_tier.access.keyring import Keyring
    from web_tier.access.policy import Access

logger = logging.getLogger(__name__)

COOKIE: Final = "gridwell_key"
_FAILURES: Final = "failures"
_LIST_AGAIN_SECONDS: Final = math.ceil(LIST_SECONDS)


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
    """The key that the ledger has under the id, unless the secret is known to be wrong.

    Whether the address has shown wrong keys never matters to a key that exists.  It only decides
    how a never-seen id is looked for: by a read of its own, or in the list of all ids, which is one
    read a second for any number of ids.  For ids that are younger than the list there is a reserve.
    """
    lookup = keyring.remembered(presented.id)
    if lookup is None and not keyring.exists(presented.id):
        standing = access.rates.look(access.failure_limit, _FAILURES, address())
        if not standing.within or not keyring.unseen.take():
            listed = keyring.is_listed(presented.id)
            if listed is None and not keyring.reserve.take():
                # A key may have been made since the list was read: not wrong, but asked to wait.
                raise refusals.too_many_failures(replace(standing, reset=_LIST_AGAIN_SECONDS))
            if listed is False:
                return None
    if lookup is None:
        if keyring.is_forged(presented):
            return None
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
