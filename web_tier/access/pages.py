"""Logging in and out, for people: a key is kept in a cookie that no script can read."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Blueprint, make_response, redirect, render_template, request

from web_tier.access.identify import COOKIE, identify
from web_tier.access.refusals import Refused
from web_tier.parts import here

if TYPE_CHECKING:
    from flask import Response
    from flask.typing import ResponseReturnValue

_HOME = "/"

routes = Blueprint("access", __name__)


@routes.get("/login")
def login() -> ResponseReturnValue:
    """Ask for a key."""
    return _page(_own_path(request.args.get("next", _HOME)))


@routes.post("/login")
def enter() -> ResponseReturnValue:
    """Keep a key that opens something, and lead back to where its owner wanted to go."""
    parts = here()
    after = _own_path(request.form.get("next", _HOME))
    keyring = parts.access.keyring
    if keyring is None:
        return redirect(after, HTTPStatus.SEE_OTHER)
    text = request.form.get("key", "").strip()
    now = parts.clock.now()
    try:
        key = identify(text or None, parts.access, keyring, now=now)
    except Refused as refused:
        return _page(after, refused.response)
    response = make_response(redirect(after, HTTPStatus.SEE_OTHER))
    response.set_cookie(
        COOKIE,
        text,
        # No longer than the key itself; without an end, until the browser is closed.
        max_age=None if key.expires is None else int(key.expires - now),
        httponly=True,
        samesite="Strict",
        secure=request.is_secure,
    )
    return response


@routes.post("/logout")
def leave() -> ResponseReturnValue:
    """Forget the key."""
    response = make_response(redirect("/login", HTTPStatus.SEE_OTHER))
    response.delete_cookie(COOKIE, httponly=True, samesite="Strict", secure=request.is_secure)
    return response


def _page(after: str, refusal: Response | None = None) -> ResponseReturnValue:
    words = None
    status: int = HTTPStatus.OK
    headers = {"Cache-Control": "no-store"}
    if refusal is not None:
        status = refusal.status_code
        words = _WORDS.get(status, _WRONG)
        headers |= {name: refusal.headers[name] for name in _KEPT if name in refusal.headers}
    return render_template("login.html", after=after, words=words), status, headers


_KEPT = ("Retry-After", "WWW-Authenticate")
_WRONG = "This key opens nothing: check that all of it is there, or ask the operator for one."
_WORDS = {int(HTTPStatus.TOO_MANY_REQUESTS): "Too many wrong keys came from here: wait a minute."}


def _own_path(path: str) -> str:
    """A path of ours, or the first page: nobody is led elsewhere by a link to the login."""
    parts = urlsplit(path)
    own = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if own and not parts.netloc and path.isprintable() else _HOME
