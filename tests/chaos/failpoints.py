"""Failpoints: before and after each call that a program makes to the outside."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import ServiceError
from gridwell.local_stack.faults.plan import NOTHING, FaultPlan, PlannedFault
from tests.chaos.memcached_proxy import CacheRelay, Point

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.local_stack.faults.client import RemoteFaults

#: What each program is called as, and the calls that it makes again and again.  Those of bad days
#: only (giving a chunk back, sending lost chunks again) are the simulator's.
_CALLS: Final = {
    "web tier": (
        "web_tier serve",
        {
            "s3": ("GetObject", "PutObject"),
            "dynamodb": ("GetItem", "PutItem", "UpdateItem", "BatchGetItem"),
            "sqs": ("GetQueueUrl", "SendMessageBatch"),
            "memcached": ("get", "set"),
        },
    ),
    "collector": (
        "web_tier collect",
        {
            "s3": ("GetObject", "PutObject"),
            "dynamodb": ("GetItem", "UpdateItem", "BatchGetItem", "Query"),
            "sqs": ("GetQueueUrl", "GetQueueAttributes", "ReceiveMessage", "DeleteMessageBatch"),
            "memcached": ("set",),
        },
    ),
    "autoscaler": (
        "autoscaler run",
        {
            "dynamodb": ("GetItem", "PutItem", "BatchGetItem"),
            "sqs": ("GetQueueUrl", "GetQueueAttributes"),
            "ec2": (
                "DescribeInstances",
                "DescribeLaunchTemplateVersions",
                "RunInstances",
                "StartInstances",
                "TerminateInstances",
            ),
        },
    ),
    "worker": (
        "app_tier work",
        {
            "s3": ("GetObject",),
            "dynamodb": ("PutItem", "BatchGetItem"),
            "sqs": ("GetQueueUrl", "ReceiveMessage", "SendMessageBatch", "DeleteMessageBatch"),
        },
    ),
}
#: What brings a call about that is rare without it: a blow, by the name that it has.
_LURES: Final = {
    "RunInstances": "instance terminated",
    "StartInstances": "instance killed",
    "TerminateInstances": "no requests for long",
}
_PATIENCE_SECONDS: Final = 30.0
_LONG_PATIENCE_SECONDS: Final = 90.0  #: for "no requests for long"
_LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Failpoint:
    """A program's call, and a side of it."""

    who: str
    program: str  #: as in ``python -m``
    service: str
    operation: str
    after: bool  #: when the call has had its effect

    @property
    def name(self) -> str:
        """As in reports."""
        side = "after" if self.after else "before"
        return f"{self.who} killed {side} {self.service} {self.operation}"


def _all() -> Iterator[Failpoint]:
    for who, (program, services) in _CALLS.items():
        for service, operations in services.items():
            for operation in operations:
                for after in (False, True):
                    yield Failpoint(
                        who=who,
                        program=program,
                        service=service,
                        operation=operation,
                        after=after,
                    )


def lure_for(point: Failpoint) -> str | None:
    """The blow that makes a rare call happen; None: it is not rare."""
    if point.operation == "GetQueueUrl":  # once in the life of a program
        return "web worker killed" if point.who == "web tier" else f"{point.who} killed"
    return _LURES.get(point.operation)


FAILPOINTS: Final = {point.name: point for point in _all()}


class Trap:
    """One failpoint at a time, until somebody has stepped into it.

    Args:
        faults: of the region.
        relay: before memcached.
    """

    def __init__(self, faults: RemoteFaults, relay: CacheRelay) -> None:
        self._faults = faults
        self._relay = relay
        self._set: Failpoint | None = None
        self._until = self._look_at = 0.0
        self._hits = 0

    @property
    def is_set(self) -> bool:
        """Whether it waits for somebody."""
        return self._set is not None

    def set(self, point: Failpoint) -> bool:
        """Wait for somebody to come to a failpoint; whether that could be arranged."""
        if point.service == "memcached":
            self._hits = self._relay.hit
            self._relay.arm(Point(point.program, point.operation, point.after))
        else:
            fault = PlannedFault(
                kind="crash after" if point.after else "crash before",
                service=point.service,
                operation=point.operation,
                program=point.program,
                nth=1,
                times=1,
            )
            try:
                self._faults.put(FaultPlan(seed=0, faults=(fault,)))
            except ServiceError:
                return False  # the region stands still
        self._set = point
        rare = point.operation == "TerminateInstances"
        self._until = time.monotonic() + (_LONG_PATIENCE_SECONDS if rare else _PATIENCE_SECONDS)
        return True

    def look(self) -> bool | None:
        """Whether somebody stepped into it; None: nobody yet.  False: nobody will, it is unset."""
        now = time.monotonic()
        if self._set is None or now < self._look_at:
            return None
        self._look_at = now + _LOOK_SECONDS
        try:
            struck = self._struck(self._set)
            if not struck and now < self._until:
                return None
            if self._set.service == "memcached":
                self._relay.arm(None)
            else:
                self._faults.put(NOTHING)
                struck = struck or False
        except ServiceError:
            return None  # the region stands still
        self._set = None
        return struck

    def _struck(self, point: Failpoint) -> bool:
        if point.service == "memcached":
            return self._relay.hit > self._hits
        return bool(self._faults.injected())
