"""Whose turn it is to change the fleet.  Pure: the time is passed in.

Of several autoscalers one holds the lease, and the others stand by.  Nothing unsafe follows from
two that believe they hold it (slots and tokens see to that); the lease keeps them from working
against each other, and its fence stops one that slept through its end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gridwell.domain.fleet import Lease

#: Part of the lease in which its holder does nothing more: clocks differ, and calls take time.
MARGIN: Final = 0.2


def claim(stored: Lease | None, *, owner: str, now: float, seconds: float) -> Lease | None:
    """The lease to write: taken, or renewed; None while it is somebody else's.

    The fence is no less than the time, so that it also grows past a lease that was lost with
    the ledger's table.

    Args:
        stored: as the ledger has it.
        owner: who asks.
        now: the time.
        seconds: how long it shall last.
    """
    if stored is not None and stored.owner == owner:
        return Lease(owner=owner, fence=stored.fence, expires=now + seconds)
    if stored is not None and stored.expires > now:
        return None
    fence = max(int(now), 1 if stored is None else stored.fence + 1)
    return Lease(owner=owner, fence=fence, expires=now + seconds)


def given_back(lease: Lease) -> Lease:
    """The lease after its holder has ended well: anybody may take it at once."""
    return replace(lease, expires=0.0)
