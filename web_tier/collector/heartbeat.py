"""Heartbeats of a fleet's collectors, which share one name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.fleet.model import Heartbeat

if TYPE_CHECKING:
    from gridwell.fleet.ports import FleetLedger

BEAT_SECONDS: Final = 10.0  #: between two heartbeats of a collector


def collector_name(fleet: str) -> str:
    """Return the name in the heartbeats of a fleet's collectors."""
    return f"collector/{fleet}"


def collector_beat(
    fleet: str,
    *,
    now: float,
    merged: int,
    version: str,
    refuses: str = "",
    skew: float | None = None,
) -> Heartbeat:
    """Return a collector's heartbeat.

    Args:
        fleet: name of the fleet.
        now: seconds since the epoch.
        merged: results merged so far.
        version: of the collector.
        refuses: the reason for which it cannot work; empty if it can.
        skew: seconds by which its clock is ahead of AWS's; None if unknown.
    """
    return Heartbeat(
        worker=collector_name(fleet),
        at=now,
        busy=0,
        draining=False,
        chunks=merged,
        seconds=0.0,
        version=version,
        refuses=refuses,
        skew=skew,
    )


def collector_age(ledger: FleetLedger, worker: str, now: float) -> float | None:
    """Return the seconds since the last heartbeat, by the collector's own clock; None if none."""
    beat = ledger.heartbeats([worker]).get(worker)
    return None if beat is None else max(0.0, now - beat.at)
