"""Whose turn it is to change the fleet.  Pure: what was observed is passed in.

Of several autoscalers one holds the lease, and the others stand by.  Nothing unsafe follows from
two that believe they hold it (slots and tokens see to that); the lease keeps them from working
against each other, and its fence stops one that slept through its end.

No two clocks are compared.  The holder renews the lease, which changes it; a standby takes it when
it has seen it unchanged for as long as it lasts, by its own monotonic clock.  So a live holder
keeps its lease however far the clocks are apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gridwell.fleet.model import Lease

#: Part of the lease in which its holder does nothing more: calls take time.
MARGIN: Final = 0.2


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
