"""Keys, sessions and budgets in memory."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from gridwell.adapters.memory.audit import MemoryAuditLog

if TYPE_CHECKING:
    from gridwell.access.keys import AccessKey
    from gridwell.access.session import Session


class MemoryAccessLedger:
    """Keeps the promises of `gridwell.access.ports.AccessLedger`."""

    def __init__(self) -> None:
        self._keys: dict[str, AccessKey] = {}
        self.audit = MemoryAuditLog()
        self._sessions: dict[str, Session] = {}
        self._spent: dict[tuple[str, int], float] = defaultdict(float)
        self._lock = threading.Lock()

    def add_key(self, key: AccessKey) -> bool:
        """See `gridwell.access.ports.AccessLedger`."""
        with self._lock:
            return self._keys.setdefault(key.id, key) == key

    def key(self, key_id: str) -> AccessKey | None:
        """See `gridwell.access.ports.AccessLedger`."""
        return self._keys.get(key_id)

    def key_ids(self) -> frozenset[str]:
        """See `gridwell.access.ports.AccessLedger`."""
        with self._lock:
            return frozenset(self._keys)

    def all_keys(self) -> tuple[AccessKey, ...]:
        """See `gridwell.access.ports.AccessLedger`."""
        return tuple(sorted(self._keys.values(), key=lambda key: (-key.created, key.id)))

    def revoke_key(self, key_id: str, *, now: float) -> AccessKey | None:
        """See `gridwell.access.ports.AccessLedger`."""
        with self._lock:
            key = self._keys.get(key_id)
            if key is not None and key.revoked is None:
                key = self._keys[key_id] = replace(key, revoked=now)
            return key

    def add_session(self, session: Session) -> None:
        """See `gridwell.access.ports.AccessLedger`."""
        with self._lock:
            self._sessions.setdefault(session.digest, session)

    def session(self, digest: str) -> Session | None:
        """See `gridwell.access.ports.AccessLedger`."""
        return self._sessions.get(digest)

    def touch_session(self, digest: str, *, now: float) -> Session | None:
        """See `gridwell.access.ports.AccessLedger`."""
        with self._lock:
            session = self._sessions.get(digest)
            if session is not None and session.ended is None and session.used < now:
                session = self._sessions[digest] = replace(session, used=now)
            return session

    def end_session(self, digest: str, *, now: float) -> Session | None:
        """See `gridwell.access.ports.AccessLedger`."""
        with self._lock:
            session = self._sessions.get(digest)
            if session is not None and session.ended is None:
                session = self._sessions[digest] = replace(session, ended=now)
            return session

    def spend(self, client: str, day: int, seconds: float, *, budget: float) -> bool:
        """See `gridwell.access.ports.AccessLedger`."""
        with self._lock:
            total = round(self._spent[client, day] + seconds, 6)
            if total > budget:
                return False
            self._spent[client, day] = total
            return True

    def give_back(self, client: str, day: int, seconds: float) -> None:
        """See `gridwell.access.ports.AccessLedger`."""
        with self._lock:
            self._spent[client, day] = round(self._spent[client, day] - seconds, 6)

    def spent(self, client: str, day: int) -> float:
        """See `gridwell.access.ports.AccessLedger`."""
        return self._spent[client, day]
