"""Builders of snapshots, of which a test names only what it is about."""

from __future__ import annotations

from typing import Any

from autoscaler.decide.launch_intents import launch_token
from autoscaler.decide.model import Policy, Snapshot
from gridwell.engine.ports import Depth
from gridwell.fleet.model import Heartbeat, Instance, InstanceState, Slot

NOW = 1_700_000_000.0
LONG_AGO = NOW - 3_600.0
RELEASE = "release-1"
POLICY = Policy(max_instances=4, chunks_per_instance=4)


def token(slot: int, epoch: int = 1) -> str:
    return launch_token("gridwell", slot, epoch)


def instance(slot: int, state: str = "running", **changes: Any) -> Instance:
    """The instance of a slot, launched an hour ago by its first epoch."""
    name = changes.pop("id", f"i-{slot}")
    fields: dict[str, Any] = {
        "id": name,
        "state": InstanceState(state),
        "launched": LONG_AGO,
        "slot": slot,
        "token": token(slot),
        "release": RELEASE,
        "arn": f"arn:{name}",
    }
    return Instance(**{**fields, **changes})


def slot_of(seen: Instance, **changes: Any) -> Slot:
    """What the ledger remembers of an instance's place."""
    assert seen.slot is not None
    stopped = NOW - 60.0 if seen.state is InstanceState.STOPPED else None
    fields: dict[str, Any] = {
        "number": seen.slot,
        "epoch": 1,
        "token": seen.token,
        "instance": seen.id,
        "started_at": seen.launched,
        "stopped_since": stopped,
    }
    return Slot(**{**fields, **changes})


def beat(seen: Instance, *, age: float = 1.0, **changes: Any) -> Heartbeat:
    fields: dict[str, Any] = {
        "worker": seen.arn,
        "at": NOW - age,
        "busy": 0,
        "draining": False,
        "chunks": 0,
        "seconds": 0.0,
        "version": "1",
    }
    return Heartbeat(**{**fields, **changes})


def snapshot(
    *instances: Instance, visible: int = 0, in_flight: int = 0, **changes: Any
) -> Snapshot:
    """A snapshot in which running instances are alive and every instance has its slot."""
    fields: dict[str, Any] = {
        "taken_at": NOW,
        "depth": Depth(visible=visible, in_flight=in_flight),
        "instances": instances,
        "release": RELEASE,
        "slots": tuple(slot_of(one) for one in instances if one.slot is not None),
        "heartbeats": {
            one.arn: beat(one) for one in instances if one.state is InstanceState.RUNNING
        },
        "arrived_at": LONG_AGO,
    }
    return Snapshot(**{**fields, **changes})
