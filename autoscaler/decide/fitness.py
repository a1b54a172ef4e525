"""Machines that are not fit to work, and the consequences.

A machine is unfit by its own heartbeat, as its worker tests it, or by a report of its worker that
was proved wrong.  It is an instance's verdict, never its slot's.  A sound worker switches its
machine off by itself; here it is terminated then, and never started again, so that a new host
comes in its place.  If one machine after the other is unfit it is the release, or an image: then
one at a time is tried, with growing pauses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from autoscaler.decide.boot_health import boot_pause
from autoscaler.decide.failures import noted, refusal
from autoscaler.decide.model import Read, Stop
from gridwell.fleet.model import InstanceState
from gridwell.fleet.refusal import UNFIT, Cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from autoscaler.decide.model import Policy, Snapshot
    from gridwell.engine.task_failure import Suspect
    from gridwell.fleet.model import Heartbeat, Instance
    from gridwell.fleet.refusal import Refusal

OBEYS_SECONDS: Final = 120.0  #: in which a sound worker that is suspected switches itself off
_REMEMBERED_SECONDS: Final = 3600.0  #: after which a slot's machines may have been bad luck
_SLOT: Final = "slot "


def why_unfit(
    instance: Instance, heartbeats: Mapping[str, Heartbeat], suspects: Mapping[str, Suspect]
) -> str:
    """Return why an instance is not fit to work; empty: nothing is known against it."""
    if (suspect := suspects.get(instance.arn)) is not None:
        return f"a report of its worker was proved wrong: {suspect.why}"
    beat = heartbeats.get(instance.arn)
    return "" if beat is None else beat.unfit


def is_unfit(instance: Instance, snapshot: Snapshot) -> bool:
    """Return whether an instance must not be started.

    While its heartbeat cannot be read, what was remembered of it counts.
    """
    if why_unfit(instance, snapshot.heartbeats, snapshot.suspects):
        return True
    return Read.HEARTBEATS in snapshot.unknown and any(
        one.action == UNFIT and one.target == instance.id for one in snapshot.refusals
    )


def unfit_stopped(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the ids of stopped instances that are to be terminated, as they are not fit."""
    return tuple(
        one.id
        for one in snapshot.instances
        if one.state is InstanceState.STOPPED and is_unfit(one, snapshot)
    )


def suspect_stops(snapshot: Snapshot) -> tuple[Stop, ...]:
    """Return the suspected instances that go on working, to be stopped from outside."""
    if snapshot.unknown:
        return ()
    known = {one.target: one.since for one in snapshot.refusals if one.action == UNFIT}
    return tuple(
        Stop(instance=one.id, suspect=True)
        for one in snapshot.instances
        if one.state is InstanceState.RUNNING
        and one.arn in snapshot.suspects
        and snapshot.taken_at - known.get(one.id, snapshot.taken_at) > OBEYS_SECONDS
    )


def remembered(
    refusals: tuple[Refusal, ...],
    instances: Sequence[Instance],
    heartbeats: Mapping[str, Heartbeat],
    suspects: Mapping[str, Suspect],
    *,
    now: float,
) -> tuple[Refusal, ...]:
    """Return the memory with the machines that are unfit now.

    Args:
        refusals: as remembered, see `autoscaler.decide.failures`.
        instances: all that EC2 shows.
        heartbeats: by ARN, of all that are not terminated.
        suspects: by ARN.
        now: the time.
    """
    known = {one.target: one for one in refusals if one.action == UNFIT}
    standing = [one for one in instances if one.state is not InstanceState.TERMINATED]
    reasons = {one.id: why_unfit(one, heartbeats, suspects) for one in standing}
    new = [
        replace(
            refusal(UNFIT, one.id, Cause.UNFIT, at=now, message=reasons[one.id]),
            code="" if one.slot is None else f"{_SLOT}{one.slot:02d}",
            release=one.release or "",
        )
        for one in standing
        if reasons[one.id] and one.id not in known
    ]
    # One that was started again by hand and passed its test is fit.
    fit = [(UNFIT, name) for name in known if reasons.get(name) == ""]
    old = [
        (UNFIT, name)
        for name, one in known.items()
        if name not in reasons and one.cause == Cause.CLEARED and now - one.at > _REMEMBERED_SECONDS
    ]
    kept = noted(refusals, new, ended=[*fit, *old]) if new or fit or old else refusals
    if not _works(instances, heartbeats, suspects):
        return kept
    # Others work, so neither the release nor the image is to blame.
    return tuple(
        replace(one, cause=Cause.CLEARED.value)
        if one.action == UNFIT and one.cause == Cause.UNFIT
        else one
        for one in kept
    )


def spoilt(refusals: Iterable[Refusal]) -> frozenset[int]:
    """Return the slots in which a machine was unfit lately: others are tried first."""
    return frozenset(
        int(one.code.removeprefix(_SLOT))
        for one in refusals
        if one.action == UNFIT and one.code.startswith(_SLOT)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Machines of a release that were unfit one after the other."""

    row: int
    wait: float  #: seconds until the next one may be tried
    why: str  #: what the last one said

    def most(self, capacity: int) -> int:
        """Return how many machines may be started or launched beside those that are on."""
        return 0 if self.wait > 0 or capacity else 1

    @property
    def words(self) -> str:
        """The doubt for people, with what ends it."""
        turn = f"the next is tried in about {self.wait:.0f} s" if self.wait else "one is tried"
        return (
            f"{self.row} machines in a row were not fit to work ({self.why}), {turn}; look at "
            "that, or at the release and its image"
        )


def doubt_of(snapshot: Snapshot, policy: Policy) -> Doubt | None:
    """Return what is held against further machines of the current release; None: nothing."""
    row = [
        one
        for one in snapshot.refusals
        if one.action == UNFIT
        and one.cause == Cause.UNFIT
        and one.release == (snapshot.release or "")
    ]
    if len(row) < policy.quarantine_boots:
        return None
    last = max(row, key=lambda one: one.at)
    until = last.at + boot_pause(len(row))
    return Doubt(row=len(row), wait=max(0.0, until - snapshot.taken_at), why=last.message)


def _works(
    instances: Iterable[Instance],
    heartbeats: Mapping[str, Heartbeat],
    suspects: Mapping[str, Suspect],
) -> bool:
    """Return whether a machine that is on has computed chunks, and nothing is known against it."""
    for one in instances:
        beat = heartbeats.get(one.arn)
        worked = one.state is InstanceState.RUNNING and beat is not None and beat.chunks > 0
        if worked and not why_unfit(one, heartbeats, suspects):
            return True
    return False
