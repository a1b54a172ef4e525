"""The cookie that carries a browser's session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import request

if TYPE_CHECKING:
    from flask import Response

#: Over TLS: browsers take a name with this prefix only from this very host, over TLS, for all of
#: its paths, so no other host of the domain can plant one.
SECURE_NAME: Final = "__Host-gridwell"
PLAIN_NAME: Final = "gridwell_session"  #: over plain http, as on one machine
_OLD_NAME: Final = "gridwell_key"  #: earlier releases kept the key itself


def session_cookie() -> str | None:
    """Return the session token that the browser sends, or None.

    Two different ones are none: over plain http another host of the domain may have planted one.
    """
    found = set(request.cookies.getlist(_name()))
    return found.pop() if len(found) == 1 else None


def set_session_cookie(response: Response, text: str, *, seconds: float) -> None:
    """Let the browser keep a session token: out of scripts' reach, for our own pages alone."""
    _set(response, _name(), text, int(seconds))
    _forget_old(response)


def clear_session_cookie(response: Response) -> None:
    """Let the browser forget its session token."""
    _set(response, _name(), "", 0)
    _forget_old(response)


def _name() -> str:
    return SECURE_NAME if request.is_secure else PLAIN_NAME


def _forget_old(response: Response) -> None:
    if _OLD_NAME in request.cookies:
        _set(response, _OLD_NAME, "", 0)


def _set(response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=request.is_secure,
    )
