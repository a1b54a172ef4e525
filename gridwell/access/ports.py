"""Ports of access control: the ledger of keys, sessions and budgets, and rate limits.

See `gridwell.engine.ports` for what any call may raise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gridwell.access.keys import AccessKey
    from gridwell.access.session import Session
    from gridwell.engine.audit import AuditLog


class AccessLedger(Protocol):
    """Ledger of clients: their keys and sessions, and what they have spent."""

    @property
    def audit(self) -> AuditLog:
        """Record of operators' actions."""

    def add_key(self, key: AccessKey) -> bool:
        """Store a new key.

        Returns:
            Whether it is stored; False: there is another one of that id.
        """

    def key(self, key_id: str) -> AccessKey | None:
        """Return the key of that id, as of now."""

    def key_ids(self) -> frozenset[str]:
        """Return the ids of all keys that ever were, as of now: one read, however many there are.

        An id is listed before its key can be read, so an id that is not listed has no key.
        """

    def all_keys(self) -> tuple[AccessKey, ...]:
        """All keys that ever were, the newest first."""

    def revoke_key(self, key_id: str, *, now: float) -> AccessKey | None:
        """Let a key open nothing any more; one that was revoked before stays as it is.

        Returns:
            The key as it is then, or None if there is none.
        """

    def add_session(self, session: Session) -> None:
        """Store a new session; the same one again changes nothing."""

    def session(self, digest: str) -> Session | None:
        """Return the session of that digest, as of now; None also some time after its end."""

    def touch_session(self, digest: str, *, now: float) -> Session | None:
        """Note that a session was used.  It never goes back in time, and opens no ended session.

        Returns:
            The session as it is then, or None if there is none.
        """

    def end_session(self, digest: str, *, now: float) -> Session | None:
        """End a session; one that was ended before stays as it is.

        Returns:
            The session as it is then, or None if there is none.
        """

    def spend(self, client: str, day: int, seconds: float, *, budget: float) -> bool:
        """Add to what a client has spent in a day, if that stays within its budget.

        One atomic step; but a call that is repeated as its reply was lost may count twice.

        Args:
            client: who spends.
            day: in UTC, counted from 1970.
            seconds: estimated, of one core.
            budget: of that day.

        Returns:
            Whether it was within, and is counted.
        """

    def give_back(self, client: str, day: int, seconds: float) -> None:
        """Take from what a client has spent in a day what was spent for nothing."""

    def spent(self, client: str, day: int) -> float:
        """Return the estimated seconds that a client has spent in a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientUsage:
    """Usage of a rate limit by a caller."""

    limit: int  #: calls
    window: int  #: in so many seconds
    within: bool  #: whether this call is within the limit
    remaining: int  #: calls that are left
    reset: int  #: whole seconds, at least 1, until there are more


class Rates(Protocol):
    """Counts calls by who makes them, over sliding windows: a little forgetful, like a cache.

    No call raises while the counts are away: each process then counts for itself.
    """

    def take(self, rate: str, kind: str, who: str, cost: int = 1) -> ClientUsage:
        """Count a call, if it is within the limit.

        Args:
            rate: the limit, such as `100/minute`.
            kind: what is counted; different kinds never add up.
            who: whose call it is.
            cost: how many calls it counts as; never more than the limit, or it could not be made.
        """

    def look(self, rate: str, kind: str, who: str) -> ClientUsage:
        """Return a caller's usage without counting a call."""
