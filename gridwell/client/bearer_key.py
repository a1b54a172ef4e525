"""The key of a client, sent to its service alone and never where others can read it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, TypeAlias

from requests.auth import AuthBase
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from gridwell.access.addresses import is_loopback
from gridwell.access.keys import PresentedKey
from gridwell.engine.printable import excerpt

if TYPE_CHECKING:
    import requests

ALLOW_HTTP_VARIABLE: Final = "GRIDWELL_ALLOW_HTTP"
_PORTS: Final = {"http": 80, "https": 443}
_SHOWN: Final = 200  #: characters of a URL

Origin: TypeAlias = tuple[str, str, int]


def origin_of(url: str) -> Origin:
    """Return the scheme, host and port of a URL, as the library that sends requests reads them.

    Raises:
        ValueError: if it is not a URL of HTTP, or names a user.
    """
    try:
        parts = parse_url(url) if isinstance(url, str) else None
    except LocationParseError:
        parts = None
    if parts is None or parts.scheme not in _PORTS or not parts.host:
        raise ValueError(
            f"{excerpt(repr(url), _SHOWN)} is not the URL of a service; give http://host:port"
        )
    if parts.auth is not None:
        raise ValueError("the URL of the service names a user; give http://host:port and a key")
    return parts.scheme, parts.host.strip("[]").lower(), parts.port or _PORTS[parts.scheme]


def allows_http() -> bool:
    """Return whether the environment lets a key go over HTTP without encryption."""
    return os.environ.get(ALLOW_HTTP_VARIABLE, "") == "1"


class BearerKey(AuthBase):
    """Sends a key with each request to its service, and to no other scheme, host or port.

    Args:
        text: of the key.
        url: of the service.
        allow_http: whether the key may go to another machine without encryption; None: if
            `GRIDWELL_ALLOW_HTTP` is 1.

    Raises:
        ValueError: if it cannot be a key, which the text does not show; or if others could read
            it on its way.
    """

    def __init__(self, text: str, url: str, *, allow_http: bool | None = None) -> None:
        presented = PresentedKey.parse(text.strip()) if isinstance(text, str) else None
        if presented is None:
            raise ValueError(
                "what was given as the key cannot be one: keys are gw_, 12 hex digits, _ and 43 "
                "letters; check that all of it is there"
            )
        self._presented = presented
        self._origin = origin_of(url)
        scheme, host, _ = self._origin
        allowed = allows_http() if allow_http is None else allow_http
        if scheme == "http" and not is_loopback(host) and not allowed:
            raise ValueError(
                f"the key would go to {excerpt(host, _SHOWN)} over http:// without encryption, "
                "where others can read it; give the service's https:// URL, or, in a network "
                f"where nobody else listens, allow_http=True or {ALLOW_HTTP_VARIABLE}=1"
            )

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return the request, with the key if it goes to the service."""
        if request.url is not None and origin_of(request.url) == self._origin:
            request.headers["Authorization"] = f"Bearer {self._presented.text}"
        return request
