"""Credentials that were accepted, remembered to count requests and never to admit them."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from typing import Final

_KEPT: Final = 10_000


class SeenCredentials:
    """Clients of accepted credentials, to count requests before they are authenticated.

    An entry admits no request.  It outlives its key: later requests with the key are refused, and
    count for the key's client.  Credentials are stored as digests only.
    """

    def __init__(self) -> None:
        self._clients: OrderedDict[bytes, str] = OrderedDict()
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()

    def remember(self, authorization: str | None, cookie: str | None, client: str) -> None:
        """Note that a request with these header fields was accepted as a client's."""
        digest = self._digest(authorization, cookie)
        if digest is None or self._clients.get(digest) == client:
            return
        with self._lock:
            self._clients[digest] = client
            if len(self._clients) > _KEPT:
                self._clients.popitem(last=False)

    def client(self, authorization: str | None, cookie: str | None) -> str | None:
        """Return the client that such a request was accepted as, if there was one."""
        digest = self._digest(authorization, cookie)
        return None if digest is None else self._clients.get(digest)

    def _digest(self, authorization: str | None, cookie: str | None) -> bytes | None:
        shown = f"A{authorization}" if authorization is not None else cookie and f"C{cookie}"
        if not shown:
            return None
        return hashlib.blake2b(
            shown.encode("latin-1", "replace"), key=self._secret, digest_size=16
        ).digest()
