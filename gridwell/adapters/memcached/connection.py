"""Reaching memcached, which may be away."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pymemcache.client.base import PooledClient
from pymemcache.exceptions import MemcacheError, MemcacheIllegalInputError

from gridwell.adapters.system_clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.engine.ports import Clock

_T = TypeVar("_T")
logger = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 0.1
REPLY_SECONDS: Final = 0.1
AWAY_SECONDS: Final = 1.0  #: after a failure, until the next try

#: No answer, or one that is none: what listens there need not be a memcached.
_OUTAGES: Final = (OSError, MemcacheError, KeyError, IndexError, ValueError)


class Connection:
    """A pool of connections that all threads share.

    After a failure nobody asks for a second, and then one caller alone tries: otherwise a
    memcached that hangs would hold up each request of each thread for the whole timeout.

    Args:
        address: as ``host:port``, or the absolute path of a socket file.
        clock: measures how long it has been away; the machine's own unless a test brings another.

    Raises:
        ValueError: if the address is not of that form.
    """

    def __init__(self, address: str, *, clock: Clock | None = None) -> None:
        # Values are bytes both ways: no serializer, so nothing is ever unpickled.
        self.client: Any = PooledClient(
            _server(address),
            connect_timeout=CONNECT_SECONDS,
            timeout=REPLY_SECONDS,
            no_delay=True,
            # With noreply a value that was refused would vanish unseen.
            default_noreply=False,
        )
        self._address = address
        self._clock = SystemClock() if clock is None else clock
        self._lock = threading.Lock()
        self._try_at: float | None = None  #: None while memcached answers
        self.outages = 0  #: times that it stopped answering

    def ask(self, call: Callable[[], _T]) -> _T | None:
        """What the call returns, or None while memcached is away."""
        if not self._may_ask():
            return None
        try:
            answer = call()
        except MemcacheIllegalInputError:
            raise  # a key that is no key is a mistake of ours
        except _OUTAGES as error:
            self._note_failure(error)
            return None
        self._note_answer()
        return answer

    def close(self) -> None:
        """Close the connections; they open again at the next call."""
        self.client.close()

    def _may_ask(self) -> bool:
        with self._lock:
            if self._try_at is None:
                return True
            now = self._clock.monotonic()
            if now < self._try_at:
                return False
            self._try_at = now + AWAY_SECONDS
            return True

    def _note_failure(self, error: Exception) -> None:
        with self._lock:
            first = self._try_at is None
            self.outages += first
            self._try_at = self._clock.monotonic() + AWAY_SECONDS
        if first:
            logger.warning(
                "memcached at %s does not answer (%r): going on without it, trying again each "
                "second",
                self._address,
                error,
                extra={"action": "cache.away", "address": self._address},
            )

    def _note_answer(self) -> None:
        with self._lock:
            back = self._try_at is not None
            self._try_at = None
        if back:
            logger.info(
                "memcached at %s answers again",
                self._address,
                extra={"action": "cache.back", "address": self._address},
            )


def _server(address: str) -> str | tuple[str, int]:
    """Return an address as pymemcache takes it."""
    if address.startswith("/"):
        return address
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdecimal()):
        raise ValueError(
            f"memcached's address {address!r} is not host:port, nor the absolute path of a"
            " socket file"
        )
    return host.strip("[]"), int(port)
