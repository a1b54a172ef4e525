"""From what a caller presents, a key or a session, to the key that the ledger holds."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from flask import request

from gridwell.access.addresses import network_of
from gridwell.access.keys import KeyState, PresentedKey
from gridwell.access.session import SessionState, SessionToken
from web_tier.auth import refusals
from web_tier.auth.caller import Caller
from web_tier.auth.cookie import session_cookie
from web_tier.auth.key_cache import LIST_SECONDS

if TYPE_CHECKING:
    from gridwell.access.keys import AccessKey
    from web_tier.auth.key_cache import KeyCache
    from web_tier.auth.policy import Access

_FAILURES: Final = "failures"
_LIST_AGAIN_SECONDS: Final = math.ceil(LIST_SECONDS)
#: Reads of sessions that a process has not seen, for each key: more than a class that shares one.
_SESSION_READS: Final = "600/minute"


def identify_caller(access: Access, keyring: KeyCache, *, now: float) -> Caller:
    """Return who makes the request: by the key in its header, or else by its session.

    Raises:
        Refused: if it presents nothing, or nothing that is accepted.
        ServiceBusy: if the ledger does not answer.
    """
    header = request.headers.get("Authorization")
    if header is not None:
        scheme, _, text = header.partition(" ")
        shown = text.strip() if scheme.lower() == "bearer" else header
        key = identify(shown, access, keyring, now=now)
        return Caller(client=key.client, key=key)
    token = session_cookie()
    if token is None:
        raise refusals.key_missing()
    return identify_session(token, access, keyring, now=now)


def identify(text: str | None, access: Access, keyring: KeyCache, *, now: float) -> AccessKey:
    """Return the key that a caller presents.

    Args:
        text: what is presented; None: nothing.
        access: counts those who present wrong ones.
        keyring: reads keys.
        now: the time.

    Raises:
        Refused: if it is not an active key.
        ServiceBusy: if the ledger does not answer.
    """
    if text is None:
        raise refusals.key_missing()
    return _active(PresentedKey.parse(text), access, keyring, now=now)


def identify_session(text: str, access: Access, keyring: KeyCache, *, now: float) -> Caller:
    """Return who a session token belongs to.

    Args:
        text: of the token.
        access: counts those who present wrong ones.
        keyring: reads keys and sessions.
        now: the time.

    Raises:
        Refused: if the session is not open, or its key no longer accepted.
        ServiceBusy: if the ledger does not answer.
    """
    token = SessionToken.parse(text)
    key = _active(token, access, keyring, now=now)
    assert token is not None  # noqa: S101 - else the call before has raised
    sessions = keyring.sessions
    if not sessions.is_known(token.digest):
        # Only who has the key can make tokens that fit it; this bounds what they cost.
        standing = access.rates.take(_SESSION_READS, "sessions", key.id)
        if not standing.within:
            raise refusals.too_many_requests("sessions", _SESSION_READS, standing)
    session = sessions.current(token.digest)
    state = SessionState.EXPIRED if session is None else session.state(now)
    if session is None or state is not SessionState.ACTIVE:
        raise refusals.session_over(key, state)
    sessions.use(session)
    return Caller(client=key.client, key=key, session=session)


def is_still_accepted(caller: Caller, keyring: KeyCache, *, now: float) -> bool:
    """Return whether a caller that was identified before would be again.

    Raises:
        ServiceBusy: if the ledger does not answer.
    """
    if caller.key is None:
        return True
    key = keyring.current(caller.key.id)
    if key is None or key.state(now) is not KeyState.ACTIVE:
        return False
    if caller.session is None:
        return True
    session = keyring.sessions.current(caller.session.digest)
    return session is not None and session.state(now) is SessionState.ACTIVE


def address() -> str:
    """Return what to count the caller's address by."""
    return network_of(request.remote_addr or "")


def _active(
    presented: PresentedKey | SessionToken | None, access: Access, keyring: KeyCache, *, now: float
) -> AccessKey:
    key = None if presented is None else _found(presented, access, keyring)
    if key is None or presented is None or not presented.fits(key):
        raise _failure(presented, access)
    state = key.state(now)
    if state is not KeyState.ACTIVE:
        raise refusals.key_over(key, state)
    return key


def _found(
    presented: PresentedKey | SessionToken, access: Access, keyring: KeyCache
) -> AccessKey | None:
    """Return the key that the ledger has under the id, unless the secret is known to be wrong.

    The wrong keys of an address never matter to a key that exists.  They only decide how an unknown
    id is looked up: by a read of its own, or in the list of all ids.  The list is read once a
    second for any number of ids.  Ids that are younger than the list have a reserve of reads.
    """
    lookup = keyring.remembered(presented.id)
    if lookup is None and not keyring.exists(presented.id):
        standing = access.rates.look(access.failure_limit, _FAILURES, address())
        if not standing.within or not keyring.unseen.take():
            listed = keyring.is_listed(presented.id)
            if listed is None and not keyring.reserve.take():
                # A key may have been made since the list was read: not wrong, but asked to wait.
                wait = replace(standing, reset=_LIST_AGAIN_SECONDS)
                raise refusals.too_many_failures(wait, presented.id)
            if listed is False:
                return None
    if lookup is None:
        if keyring.is_forged(presented):
            return None
        lookup = keyring.look_up(presented.id)
    return lookup.key


def _failure(
    presented: PresentedKey | SessionToken | None, access: Access
) -> refusals.AccessRefused:
    key_id = "" if presented is None else presented.id
    standing = access.rates.take(access.failure_limit, _FAILURES, address())
    if not standing.within:
        return refusals.too_many_failures(standing, key_id)
    return refusals.key_wrong(key_id)
