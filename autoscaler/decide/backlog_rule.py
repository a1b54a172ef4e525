"""The default rule: as many instances as the backlog gives a share of chunks to.

A later rule sizes by the *seconds* of backlog that the ledger knows: `Snapshot` is the place to
add such facts, and a module beside this one the place to use them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gridwell.engine.read_jobs import counted
from gridwell.fleet.model import InstanceState

if TYPE_CHECKING:
    from autoscaler.decide.capacity import Capacity
    from autoscaler.decide.model import Policy, Snapshot
    from gridwell.engine.ports import Depth


def want(depth: Depth, policy: Policy) -> int:
    """Return the number of instances that the queue justifies, before any cap.

    Chunks in flight count: a queue that looks empty while its last chunks are computed would
    otherwise be left to a fleet that shrinks under it.  One visible chunk wants an instance,
    whatever the share.
    """
    share = math.ceil((depth.visible + depth.in_flight) / policy.chunks_per_instance)
    return max(share, 1 if depth.visible > 0 else 0)


def arithmetic(depth: Depth) -> str:
    """Return the calculation of `want` as text."""
    total = depth.visible + depth.in_flight
    return f"{counted(depth.visible, 'chunk')} waiting + {depth.in_flight} in flight = {total}"


def spent(snapshot: Snapshot, census: Capacity, policy: Policy) -> tuple[str, ...]:
    """Return stopped instances that have been idle for long: their disks cost money.

    Only while the queue is empty, as a stopped instance boots faster than a new one.
    """
    del census
    if snapshot.depth.visible > 0:
        return ()
    oldest = snapshot.taken_at - policy.stopped_max_age_seconds
    since = {s.number: s.stopped_since for s in snapshot.slots if s.stopped_since is not None}
    aged = [
        (since[instance.slot], instance.id)
        for instance in snapshot.instances
        if instance.state is InstanceState.STOPPED
        and instance.slot in since
        and since[instance.slot] < oldest
    ]
    return tuple(name for _, name in sorted(aged))
