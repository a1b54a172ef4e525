"""Refusals that outlive a tick: what EC2 would not do, for which machine or offer, since when."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

ALL: Final = "*"  #: the target of a refusal that concerns an action as such
UNFIT: Final = "work"  #: the action of a machine that must not compute
LONGEST_MESSAGE: Final = 200  #: characters


class Cause(enum.StrEnum):
    """Cause of a failed action, as far as it decides what to try instead."""

    FULL = "no capacity"  #: EC2 has no room for this type in this zone
    NO = "refused"  #: a clear refusal, without effect
    UNKNOWN = "unanswered"  #: a fault of the service: whether it had an effect is unknown
    IDLE = "without effect"  #: EC2 agreed, and nothing has changed yet
    THROTTLED = "throttled"  #: too many calls of this action
    SILENT = "no heartbeat"  #: a boot that came to no heartbeat
    UNFIT = "unfit"  #: a machine that must not compute
    CLEARED = "unfit, others work"  #: the same, and neither its release nor its image is to blame
    UNREADABLE = "unreadable"  #: a row of the ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One action on one target that came to nothing, `count` times in a row."""

    action: str  #: start, launch, stop, force, terminate, boot, work, or read
    target: str  #: an instance's id, an offer's name, a row's name, or `ALL`
    cause: str  #: of the last time, one of `Cause`
    code: str = ""  #: EC2's error code or StateReason of the last time
    message: str = ""  #: EC2's words
    since: float  #: the first time in the row
    at: float  #: the last one
    count: int = 1
    release: str = ""  #: of a boot
    #: How many of the row were clear refusals; None: all if the last one was, else none.
    denied: int | None = None

    def __post_init__(self) -> None:
        Cause(self.cause)  # a ValueError: another release wrote it

    @property
    def key(self) -> tuple[str, str]:
        """The action and its target."""
        return self.action, self.target

    @property
    def denials(self) -> int:
        """Return how many times EC2 clearly refused since it last agreed.

        A call without an answer is none: it may never have come to EC2.
        """
        return _denials(self.count, self.cause) if self.denied is None else self.denied

    def again(self, later: Refusal) -> Refusal:
        """Return the refusal that follows from this one and the next of its kind."""
        if later.release != self.release:
            return later
        count = self.count + later.count
        denials = 0 if later.cause == Cause.IDLE else self.denials + later.denials
        return Refusal(
            action=self.action,
            target=self.target,
            cause=later.cause,
            code=later.code,
            message=later.message,
            since=self.since,
            at=later.at,
            count=count,
            release=self.release,
            denied=None if denials == _denials(count, later.cause) else denials,
        )


def _denials(count: int, cause: str) -> int:
    """Return the clear refusals in a row of one cause."""
    return count if cause == Cause.NO else 0


#: The remedy of an error code, by how it begins; the first that fits.
_REMEDIES: Final = (
    ("InvalidSubnet", "correct GRIDWELL_SUBNETS"),
    ("InsufficientFreeAddresses", "use a larger subnet, or name more in GRIDWELL_SUBNETS"),
    ("InvalidParameterValue", "correct GRIDWELL_INSTANCE_TYPES, or the launch template"),
    ("InvalidInstanceType", "correct GRIDWELL_INSTANCE_TYPES"),
    ("Unsupported", "name types in GRIDWELL_INSTANCE_TYPES that the zone and the image allow"),
    ("Unauthorized", "allow the action in the autoscaler's role"),
    ("AccessDenied", "allow the action in the autoscaler's role"),
    ("PendingVerification", "wait until AWS has verified the account for this region"),
    ("OperationNotPermitted", "remove the instance's protection from stopping or termination"),
    ("VcpuLimit", "raise the account's quota of vCPUs, or lower the cap"),
    ("InstanceLimit", "raise the account's quota of instances, or lower the cap"),
    ("VolumeLimit", "raise the account's quota of volumes"),
    ("Client.VolumeLimit", "raise the account's quota of volumes"),
    ("MaxSpot", "raise the account's quota of Spot Instances"),
    ("SpotMaxPrice", "raise the price in the launch template"),
    ("NetworkInterfaceLimit", "raise the account's quota of network interfaces"),
    ("ResourceCount", "raise the account's quota that the message names"),
    ("ReservationCapacity", "enlarge the capacity reservation, or let the template use none"),
    ("InsufficientVolume", "name more in GRIDWELL_SUBNETS, or another volume type"),
    ("Insufficient", "name more in GRIDWELL_INSTANCE_TYPES and GRIDWELL_SUBNETS"),
    ("Server.Insufficient", "name more in GRIDWELL_INSTANCE_TYPES and GRIDWELL_SUBNETS"),
    ("Client.InternalError", "let EC2 use the volumes' key; enable it if it is disabled"),
    ("Client.InvalidSnapshot", "bake the image again"),
    ("InvalidAMI", "bake the image again"),
    ("InvalidVolume", "nothing: the instance is replaced"),
    ("KMS", "enable the volumes' key, and let EC2 use it"),
    ("InvalidKMS", "enable the volumes' key, and let EC2 use it"),
    ("Client.InvalidKMS", "enable the volumes' key, and let EC2 use it"),
    ("RequestLimit", "wait; look for what else calls EC2 in this account and region"),
    ("Throttl", "wait; look for what else calls EC2 in this account and region"),
    ("NoCapacity", "name more in GRIDWELL_INSTANCE_TYPES and GRIDWELL_SUBNETS"),
)
_ACTIONS: Final = {
    "start": "start",
    "launch": "launch",
    "stop": "stop",
    "force": "stop",
    "terminate": "terminate",
}
_BY_CAUSE: Final = {
    Cause.FULL: "name more in GRIDWELL_INSTANCE_TYPES and GRIDWELL_SUBNETS",
    Cause.NO: "look the code up in EC2's list of error codes",
    Cause.UNKNOWN: "wait; look at AWS's health page if it lasts",
    Cause.THROTTLED: "wait; look for what else calls EC2 in this account and region",
    Cause.IDLE: "wait; write to AWS if it lasts",
    Cause.SILENT: "look at an instance's console, the subnet's route and the release",
    Cause.UNFIT: "look at the machines' consoles, the release and its image",
    Cause.CLEARED: "nothing: the machine is replaced",
    Cause.UNREADABLE: "nothing, if it is over in some minutes; else remove the row",
}


def remedy(refusal: Refusal) -> str:
    """Return what ends a refusal."""
    for beginning, words in _REMEDIES:
        if refusal.code.startswith(beginning):
            return words
    return _BY_CAUSE[Cause(refusal.cause)]


def described(refusal: Refusal) -> str:
    """Return a refusal for people: what, EC2's code and words."""
    code = f"{refusal.code}: {refusal.message}" if refusal.message else refusal.code
    why = f": {code}" if code else ""
    if refusal.action == UNFIT:
        why = f": {refusal.message}"
    verb = _ACTIONS.get(refusal.action, refusal.action)
    what = _offer(refusal.target) if "@" in refusal.target else refusal.target
    sentences = {
        Cause.UNREADABLE: f"the ledger's {what} cannot be read",
        Cause.UNFIT: f"{what} is not fit to work",
        Cause.CLEARED: f"{what} is not fit to work",
        Cause.SILENT: f"{refusal.count} boots in a row of {what} had no heartbeat",
        Cause.THROTTLED: f"EC2 throttles every {verb}",
        Cause.FULL: f"EC2 has no capacity to {verb} {what}",
        Cause.IDLE: f"EC2 agreed to {verb} {what}, and nothing changed",
        Cause.UNKNOWN: f"EC2 does not answer a {verb} of {what}",
    }
    return sentences.get(Cause(refusal.cause), f"EC2 refuses to {verb} {what}") + why


def _offer(name: str) -> str:
    kind, _, subnet = name.partition("@")
    place = f" in {subnet}" if subnet else ""
    return f"{kind or 'the launch template'}{place}"
