"""Logging in and out, for people: a key opens a session, whose token the browser keeps."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from flask import Blueprint, make_response, redirect, render_template, request

from gridwell.access.session import SessionToken
from web_tier.auth import refusals
from web_tier.auth.authenticate import identify, identify_session
from web_tier.auth.caller import Caller, set_caller
from web_tier.auth.cookie import clear_session_cookie, session_cookie, set_session_cookie
from web_tier.auth.refusals import AccessRefused
from web_tier.auth.security_log import Event, note, note_refusal
from web_tier.dependencies import current

if TYPE_CHECKING:
    from flask import Response
    from flask.typing import ResponseReturnValue

    from web_tier.auth.key_cache import KeyCache

_HOME: Final = "/"
_LOGINS: Final = "30/minute"  #: sessions that one key may open, as each is a write to the ledger

routes = Blueprint("access", __name__)


@routes.get("/login")
def login() -> ResponseReturnValue:
    """Ask for a key."""
    return _page(_own_path(request.args.get("next", _HOME)))


@routes.post("/login")
def enter() -> ResponseReturnValue:
    """Open a session for a key, and lead back to the page that was asked for.

    The session is a new one each time, and ends the one that the browser had.
    """
    parts = current()
    after = _own_path(request.form.get("next", _HOME))
    keyring = parts.access.keyring
    if keyring is None:
        return redirect(after, HTTPStatus.SEE_OTHER)
    text = request.form.get("key", "").strip()
    now = parts.clock.now()
    try:
        key = identify(text or None, parts.access, keyring, now=now)
        standing = parts.access.rates.take(_LOGINS, "logins", key.id)
        if not standing.within:
            raise refusals.too_many_requests("logins", _LOGINS, standing)
    except AccessRefused as refused:
        note_refusal(refused)
        return _page(after, refused.response)
    _end_session(keyring)
    token, session = keyring.sessions.open(key)
    set_caller(Caller(client=key.client, key=key))
    note(Event.LOGIN)
    response = make_response(redirect(after, HTTPStatus.SEE_OTHER))
    set_session_cookie(response, token.text, seconds=session.ends - now)
    response.headers["Cache-Control"] = "no-store"
    return response


@routes.post("/logout")
def leave() -> ResponseReturnValue:
    """End the session, and let the browser forget what it kept of this service."""
    keyring = current().access.keyring
    if keyring is not None:
        _end_session(keyring)
    response = make_response(redirect("/login", HTTPStatus.SEE_OTHER))
    clear_session_cookie(response)
    response.headers["Cache-Control"] = "no-store"
    # Not "cookies": that would clear those of all hosts of the domain, and of all ports.
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _end_session(keyring: KeyCache) -> None:
    """End the session of the request in the ledger, if it has an open one."""
    parts = current()
    text = session_cookie()
    token = None if text is None else SessionToken.parse(text)
    if text is None or token is None:
        return
    try:
        known = identify_session(text, parts.access, keyring, now=parts.clock.now())
    except AccessRefused:
        return  # it opens nothing already
    keyring.sessions.end(token.digest)
    set_caller(known)
    note(Event.LOGOUT)


def _page(after: str, refusal: Response | None = None) -> ResponseReturnValue:
    words = None
    status: int = HTTPStatus.OK
    headers = {"Cache-Control": "no-store"}
    if refusal is not None:
        status = refusal.status_code
        words = _WORDS.get(status, _WRONG)
        headers |= {name: refusal.headers[name] for name in _KEPT if name in refusal.headers}
    return render_template("login.html", after=after, words=words), status, headers


_KEPT: Final = ("Retry-After", "WWW-Authenticate")
_WRONG: Final = (
    "This key opens nothing: check that all of it is there, or ask the operator for one."
)
_WORDS: Final = {
    int(HTTPStatus.TOO_MANY_REQUESTS): "There were too many attempts to log in: wait a minute."
}


def _own_path(path: str) -> str:
    """A path of ours, or the first page: nobody is led elsewhere by a link to the login."""
    parts = urlsplit(path)
    own = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if own and not parts.netloc and path.isprintable() else _HOME
