"""Detection of cross-site requests (CSRF).

A browser sends our cookie with each form that is posted to us, even if another site's page holds
the form.  SameSite=Strict prevents that, except for other hosts of the same site.  It does not help
where the service is open and needs no cookie.  So a form is accepted only if the browser reports
that a page of ours sent it.  Programs send no such headers and have no cookie to misuse.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN: Final = frozenset({"same-origin", "none"})  #: none: typed, or a bookmark


def is_foreign(method: str, *, site: str | None, origin: str | None, host: str) -> bool:
    """Return True if a page of another origin requests a change.

    Args:
        method: of the request.
        site: the header Sec-Fetch-Site, which browsers send where the connection can be trusted.
        origin: the header Origin, which they send elsewhere too.
        host: our own name and port, as the request has it.
    """
    if method in _SAFE:
        return False
    if site is not None:
        return site not in _OWN
    return origin is not None and urlsplit(origin).netloc != host
