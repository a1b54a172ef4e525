"""The one place where forwarded headers are read.

gunicorn's own trust of proxies is off (`web_tier/http_server/gunicorn_conf.py`), so what a proxy
says of a caller's address and scheme counts only for as many proxies as the operator has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from werkzeug.http import parse_list_header
from werkzeug.middleware.proxy_fix import ProxyFix

from gridwell.access.addresses import without_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

_SCHEMES: Final = frozenset({"http", "https"})
_ORIGINAL: Final = "werkzeug.proxy_fix.orig"


def trusting(application: Wsgi, proxies: int) -> ProxyFix:
    """Return an application that takes a caller's address and scheme from its proxies.

    Args:
        application: of WSGI.
        proxies: how many proxies of the operator's own a request passes.
    """

    def normalised(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["REMOTE_ADDR"] = without_port(environ.get("REMOTE_ADDR") or "")
        if environ["wsgi.url_scheme"] not in _SCHEMES:
            environ["wsgi.url_scheme"] = environ[_ORIGINAL]["wsgi.url_scheme"]
        return application(environ, start_response)

    return ProxyFix(normalised, x_for=proxies, x_proto=proxies)


def caller_address(peer: str, forwarded: Sequence[str], proxies: int) -> str:
    """Return the address that a request comes from, as `trusting` gives it to an application.

    Args:
        peer: the address of the connection.
        forwarded: the values of the fields X-Forwarded-For, in their order.
        proxies: as for `trusting`.
    """
    named = parse_list_header(",".join(forwarded)) if proxies and forwarded else []
    chosen = named[-proxies] if proxies and len(named) >= proxies else ""
    return without_port(chosen or peer)
