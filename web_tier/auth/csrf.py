"""Whether a request was made by a page of somebody else's.  Pure.

A browser sends our cookie with whatever form is posted to us, whoever wrote the form: that is what
SameSite=Strict prevents, but not from another host of the same site, nor where no cookie is needed
as the service is open.  So a form is taken only if the browser says that a page of ours sent it.
Programs say nothing of the kind, and have no cookie that somebody else could use.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN: Final = frozenset({"same-origin", "none"})  #: none: typed, or a bookmark


def is_foreign(method: str, *, site: str | None, origin: str | None, host: str) -> bool:
    """Whether a page of another origin asks for a change.

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
