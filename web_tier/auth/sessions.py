"""The sessions of browsers, shared by all web processes through the ledger."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gridwell.access.session import TOKEN_BYTES, TOUCH_SECONDS, SessionState, open_session
from gridwell.engine.errors import ServiceError

if TYPE_CHECKING:
    from gridwell.access.keys import AccessKey
    from gridwell.access.ports import AccessLedger
    from gridwell.access.session import Session, SessionToken
    from gridwell.engine.ports import Clock

logger = logging.getLogger(__name__)

SESSION_KEPT_SECONDS: Final = 30.0  #: for so long another process may still take an ended session
KEPT_SESSIONS: Final = 10_000


class Sessions:
    """Opens, reads and ends sessions, and caches what it read.  Safe to share between threads.

    Args:
        ledger: holds the sessions.
        clock: gives the time, and the age of cache entries.
    """

    def __init__(self, ledger: AccessLedger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._read: OrderedDict[str, tuple[Session | None, float]] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, key: AccessKey) -> tuple[SessionToken, Session]:
        """Open a new session for a caller that presented a key.

        Raises:
            ServiceBusy: if the ledger does not answer.
        """
        token, session = open_session(
            key, now=self._clock.now(), random=secrets.token_bytes(TOKEN_BYTES)
        )
        at = self._clock.monotonic()
        self._ledger.add_session(session)
        self._keep(session.digest, session, at)
        return token, session

    def is_known(self, digest: str) -> bool:
        """Return whether a session was read or opened by this process, or need not be read."""
        with self._lock:
            found = self._read.get(digest)
            return found is not None and (found[0] is not None or bool(self._recent(digest)))

    def current(self, digest: str) -> Session | None:
        """Return the session of a digest, as of `SESSION_KEPT_SECONDS` ago at most.

        Raises:
            ServiceBusy: if the ledger does not answer: the session is then neither open nor ended.
        """
        with self._lock:
            found = self._recent(digest)
        if found is not None:
            return found[0]
        at = self._clock.monotonic()  # before the read, so that no end is seen too late
        session = self._ledger.session(digest)
        self._keep(digest, session, at)
        return session

    def use(self, session: Session) -> None:
        """Note that an open session was used: in the ledger now and then, and never in vain."""
        now = self._clock.now()
        if now - session.used < TOUCH_SECONDS or session.state(now) is not SessionState.ACTIVE:
            return
        with self._lock:
            found = self._recent(session.digest)
            if found is None or found[0] != session:
                return  # another request of the same moment notes it
            self._read[session.digest] = (replace(session, used=now), found[1])
        try:
            latest = self._ledger.touch_session(session.digest, now=now)
        except ServiceError as error:
            logger.warning(
                "the use of a session cannot be noted, it may be over early: %s",
                error,
                extra={"action": "access.session_untouched", "key": session.key_id},
            )
            return
        self._keep(session.digest, latest, self._clock.monotonic())

    def end(self, digest: str) -> None:
        """End a session: here at once, in other processes within `SESSION_KEPT_SECONDS`.

        Raises:
            ServiceBusy: if the ledger does not answer; the session is then ended nowhere.
        """
        at = self._clock.monotonic()
        self._keep(digest, self._ledger.end_session(digest, now=self._clock.now()), at)

    def _recent(self, digest: str) -> tuple[Session | None, float] | None:
        found = self._read.get(digest)
        if found is None or self._clock.monotonic() - found[1] >= SESSION_KEPT_SECONDS:
            return None
        self._read.move_to_end(digest)
        return found

    def _keep(self, digest: str, session: Session | None, at: float) -> None:
        with self._lock:
            kept = self._read.get(digest)
            if kept is not None and kept[0] is not None and kept[0].ended is not None:
                session = kept[0]  # an end is final, whatever an earlier read says
            self._read[digest] = (session, at)
            self._read.move_to_end(digest)
            if len(self._read) > KEPT_SESSIONS:
                self._read.popitem(last=False)
