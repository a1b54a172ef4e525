"""Leadership: of several autoscalers one holds the lease and acts; the others stand by.

Two that both believe they lead do no harm: slots and tokens prevent that.  The lease keeps them
from working against each other, and its fence stops one that slept past its end.

No two clocks are compared.  The leader renews the lease, which changes it.  A standby takes it
after it has seen it unchanged for as long as it lasts, by its own monotonic clock.  So a live
leader keeps its lease however far the clocks are apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gridwell.fleet.model import Lease

if TYPE_CHECKING:
    from gridwell.engine.ports import Clock
    from gridwell.fleet.ports import FleetLedger

#: Part of the lease in which its holder does nothing more: calls take time.
MARGIN: Final = 0.2


class Leadership:
    """One autoscaler's hold on the lease.

    Args:
        ledger: where the lease is.
        clock: time.
        owner: a name that no other run of an autoscaler has.
        seconds: how long a lease lasts.
    """

    def __init__(self, ledger: FleetLedger, clock: Clock, *, owner: str, seconds: float) -> None:
        if seconds <= 0:
            raise ValueError(f"lease_seconds is {seconds}; a lease must last some time")
        self.owner = owner
        self.other: Lease | None = None  #: the lease that keeps us from taking it
        self._ledger = ledger
        self._clock = clock
        self._seconds = seconds
        self._lease: Lease | None = None
        self._until = float("-inf")  #: by the monotonic clock
        self._observed: Lease | None = None  #: another's lease, as last read
        self._observed_at = 0.0  #: when it was first read so, by the monotonic clock

    @property
    def fence(self) -> int:
        """The fence that writes to slots carry; 0 before the lease was ever held."""
        return 0 if self._lease is None else self._lease.fence

    @property
    def holds(self) -> bool:
        """Return whether the lease is certainly ours now.

        The monotonic clock decides.  The wall clock can only make it sooner: where a machine was
        suspended, and its monotonic clock with it, the wall clock shows it.  Both are our own.
        """
        if self._lease is None:
            return False
        last = self._lease.expires - MARGIN * self._seconds
        return self._clock.now() < last and self._clock.monotonic() < self._until

    @property
    def waits(self) -> float:
        """Seconds until another's lease may be taken, if it does not change until then."""
        if self.other is None:
            return 0.0
        left = patience(self.other, self._seconds) - self._unchanged(self.other)
        return max(0.0, left)

    def renew(self) -> bool:
        """Acquire or renew the lease; return False while another holds it.

        Raises:
            ServiceError: the ledger is unavailable; a held lease still ends in its time.
        """
        now, monotonic = self._clock.now(), self._clock.monotonic()
        seen = self._lease or self._ledger.lease()
        while True:
            wanted = claim(
                seen,
                owner=self.owner,
                now=now,
                seconds=self._seconds,
                unchanged=self._unchanged(seen),
            )
            if wanted is None:
                self._lease, self.other = None, seen
                return False
            if self._ledger.write_lease(wanted, seen=seen):
                break
            # Another took it, or the last write's reply was lost: read which.
            last, seen = seen, self._ledger.lease()
            if seen == last:
                return False
        self._lease, self.other, self._observed = wanted, None, None
        # Measured from before the write, which may have taken its time.
        self._until = monotonic + (1 - MARGIN) * self._seconds
        return True

    def outgrow(self, fence: int) -> None:
        """Raise our fence above one that slots carry.

        They carry a later one where the lease was lost with its item and the clock, which the
        fence follows otherwise, has been set back: nothing could be written ever after.

        Raises:
            ServiceError: the ledger is unavailable; the next round sees the same.
        """
        if self._lease is None or self._lease.fence >= fence:
            return
        raised = replace(self._lease, fence=fence + 1, renewal=self._lease.renewal + 1)
        if self._ledger.write_lease(raised, seen=self._lease):
            self._lease = raised

    def give_back(self) -> None:
        """Give the lease back, so that a standby may take over at once.

        Raises:
            ServiceError: the ledger is unavailable; the lease ends by itself.
        """
        if self._lease is not None:
            self._ledger.write_lease(given_back(self._lease), seen=self._lease)
            self._lease = None

    def _unchanged(self, seen: Lease | None) -> float:
        """Return for how long a lease that was just read has been seen as it is."""
        # The clock is read after the lease: its last change cannot be later.
        monotonic = self._clock.monotonic()
        if seen != self._observed:
            self._observed, self._observed_at = seen, monotonic
        return monotonic - self._observed_at


def claim(
    stored: Lease | None, *, owner: str, now: float, seconds: float, unchanged: float = 0.0
) -> Lease | None:
    """Return the lease to write, taken or renewed; None while it is another's.

    The fence is no less than the time, so that it also grows past a lease that was lost with
    the ledger's table.

    Args:
        stored: as the ledger has it.
        owner: who asks.
        now: the time by the owner's wall clock, which is compared with nothing.
        seconds: how long it shall last.
        unchanged: for how many seconds, by its own monotonic clock, the owner has seen `stored`
            as it is.
    """
    expires = now + seconds
    if stored is not None and stored.owner == owner:
        return replace(stored, expires=expires, seconds=seconds, renewal=stored.renewal + 1)
    if stored is not None and not stored.is_given_back and unchanged < patience(stored, seconds):
        return None
    fence, renewal = (1, 1) if stored is None else (stored.fence + 1, stored.renewal + 1)
    return Lease(
        owner=owner,
        fence=max(int(now), fence),
        expires=expires,
        seconds=seconds,
        renewal=renewal,
    )


def patience(stored: Lease, seconds: float) -> float:
    """Return for how long a standby must have seen a lease unchanged before it takes it.

    Args:
        stored: another's lease; its holder may use a longer one than we do.
        seconds: how long our own would last.
    """
    return max(seconds, stored.seconds or 0.0)


def given_back(lease: Lease) -> Lease:
    """Return the lease after its holder has ended well: it may be taken at once."""
    return replace(lease, expires=0.0, renewal=lease.renewal + 1)
