"""The classic rule, on the safe counts of `autoscaler.decide.capacity`.

With Q chunks visible, A instances active, S stopped, a cap of N and T seconds of quiet: if Q > A
start min(S, Q - A); if still short and A + S < N launch min(Q, N) - S - A; if A >= Q, S > 0 and
nothing arrived for T, terminate the stopped ones.  The first two lines are the default's `short`
with another want: min(Q, N).  Counting only running instances as active, as the rule was first
read, it launched 251 instances for a cap of 19.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridwell.engine.read_jobs import counted
from gridwell.fleet.model import InstanceState

if TYPE_CHECKING:
    from autoscaler.decide.capacity import Capacity
    from autoscaler.decide.model import Policy, Snapshot
    from gridwell.engine.ports import Depth


def want(depth: Depth, policy: Policy) -> int:
    """Return one instance for every visible chunk, before any cap."""
    del policy
    return depth.visible


def arithmetic(depth: Depth) -> str:
    """Return the calculation of `want` as text."""
    return f"{counted(depth.visible, 'chunk')} waiting"


def arrived_at(
    last: float | None, before: Depth | None, depth: Depth | None, *, now: float
) -> float | None:
    """Return the time at which chunks were last seen to arrive.

    Visible chunks count as arriving: they wait for a worker.  Chunks that a running worker took
    between two looks are seen by the sum's growth; those that it also finished are not, and such
    a fleet has no need of its stopped instances.

    Args:
        last: when they were seen before; None: this is the first look.
        before: the depth then.
        depth: the depth now; None if it could not be read.
        now: the time.
    """
    if depth is None:
        return last
    total = depth.visible + depth.in_flight
    grew = before is None or total > before.visible + before.in_flight
    return now if last is None or depth.visible > 0 or grew else last


def spent(snapshot: Snapshot, census: Capacity, policy: Policy) -> tuple[str, ...]:
    """Return all stopped instances once nothing has arrived for T and the active ones suffice."""
    if census.capacity < snapshot.depth.visible or snapshot.arrived_at is None:
        return ()
    if snapshot.taken_at - snapshot.arrived_at < policy.quiet_seconds:
        return ()
    return tuple(i.id for i in snapshot.instances if i.state is InstanceState.STOPPED)
