"""EC2's instance states, as long as they really last.

moto changes states in no time and lets a terminated instance start again.  Here every change
follows one table, and the slow half of it (pending, stopping, shutting-down) ends only when
the EC2 host says that the machine has booted or halted.  Both run in one process, so that no
wish can be missed between two polls.
"""

from __future__ import annotations

import base64
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from moto.core.utils import utcnow
from moto.ec2 import exceptions as _exceptions
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import StateReason
from moto.iam.models import iam_backends

from gridwell.local_stack.region.instance_facts import InstanceFacts

if TYPE_CHECKING:
    from collections.abc import Callable

CODES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}
#: verb -> (states that it changes, the state it leads to, states in which it changes nothing)
TRANSITIONS: dict[str, tuple[frozenset[str], str, frozenset[str]]] = {
    "started": (frozenset({"stopped"}), "pending", frozenset({"pending", "running"})),
    # Not of a pending one: EC2 refuses that until it has reached the running state.
    "stopped": (
        frozenset({"running"}),
        "stopping",
        frozenset({"stopping", "stopped"}),
    ),
    "terminated": (
        frozenset({"pending", "running", "stopping", "stopped"}),
        "shutting-down",
        frozenset({"shutting-down", "terminated"}),
    ),
}
#: verb -> moto's name of the attribute that forbids it
PROTECTIONS = {"stopped": "disable_api_stop", "terminated": "disable_api_termination"}
TERMINATED_SECONDS = 3600.0  #: how long EC2 still describes a terminated instance
USER_SHUTDOWN = ("Client.UserInitiatedShutdown", "User initiated shutdown")
OWN_SHUTDOWN = ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown")
HARDWARE_FAILURE = "Server.InternalError"


class MachineHost(Protocol):
    """Host that runs the instances.  Each call only queues the request and returns at once."""

    def boot(self, instance_id: str) -> None:
        """Boot the machine, then call `Lifecycle.booted`."""

    def stop(self, instance_id: str, *, force: bool = False) -> None:
        """Shut the machine down, then call `Lifecycle.halted`."""

    def terminate(self, instance_id: str) -> None:
        """Shut the machine down, throw its disk away, then call `Lifecycle.halted`."""

    def reboot(self, instance_id: str) -> None:
        """Shut the machine down and boot it again; its state stays running."""

    def console(self, instance_id: str) -> bytes:
        """Return the machine's console output of all its boots."""


def client_error(code: str, message: str) -> Exception:
    """Return an EC2 error reply; moto demands that its class comes from moto."""
    error: Exception = _exceptions.EC2ClientError(code, message)
    return error


class Lifecycle:
    """The states of all instances of one region.  Safe to call from any thread."""

    def __init__(
        self,
        *,
        account_id: str,
        region: str,
        max_running: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.account_id = account_id
        self.region = region
        self.lock = threading.RLock()
        self._max_running = max_running
        self._clock = clock
        self._host: MachineHost | None = None
        self._ended: dict[str, float] = {}  # instance id -> when it was terminated

    @property
    def backend(self) -> Any:
        """EC2 of this region, as moto keeps it."""
        return ec2_backends[self.account_id][self.region]

    @property
    def host(self) -> MachineHost:
        """The host that boots the instances; set once, before the first request."""
        if self._host is None:
            raise RuntimeError("no EC2 host attached: call Lifecycle.attach(host) before serving")
        return self._host

    def attach(self, host: MachineHost) -> None:
        """Set the host that receives every request."""
        self._host = host

    # Requests of clients, from the patched EC2.

    def check(self, instance: Any, verb: str) -> bool:
        """Return True if the verb changes this instance now.

        Raises:
            EC2ClientError: IncorrectInstanceState or OperationNotPermitted, where EC2 refuses.
        """
        allowed, _, without_effect = TRANSITIONS[verb]
        state = instance.state
        protection = PROTECTIONS.get(verb, "")
        if str(getattr(instance, protection, False)).lower() == "true":
            raise client_error(
                "OperationNotPermitted",
                f"The instance '{instance.id}' may not be {verb}. Modify its '{protection}' "
                "instance attribute and try again.",
            )
        if state in without_effect:
            return False
        if state not in allowed:
            raise client_error(
                "IncorrectInstanceState",
                f"The instance '{instance.id}' is not in a state from which it can be {verb}"
                f" (it is {state}).",
            )
        return True

    def change(self, instance: Any, verb: str) -> None:
        """Put an instance into the state that the verb leads to, and request it from the host."""
        set_state(instance, TRANSITIONS[verb][1])
        if verb == "started":
            instance.launch_time = utcnow()
            self.host.boot(instance.id)
        elif verb == "stopped":
            self.host.stop(instance.id)
        else:
            self.host.terminate(instance.id)

    def places(self) -> int:
        """Return the number of instances that may start now."""
        idle = ("stopped", "terminated")
        with self.lock:
            busy = sum(i.state not in idle for i in self.backend.all_instances())
        return max(0, self._max_running - busy)

    def refuse_beyond_limit(self, wanted: int) -> None:
        """Raise InstanceLimitExceeded unless `wanted` more instances may run."""
        if wanted > self.places():
            raise client_error(
                "InstanceLimitExceeded",
                f"You have requested {wanted} more instances than your current limit of"
                f" {self._max_running} running instances allows.",
            )

    def forget_terminated(self) -> None:
        """Drop the instances that were terminated an hour ago, as EC2 does."""
        with self.lock:
            old = {i for i, at in self._ended.items() if self._clock() - at > TERMINATED_SECONDS}
            if not old:
                return
            reservations = self.backend.reservations
            for reservation in list(reservations.values()):
                reservation.instances = [i for i in reservation.instances if i.id not in old]
                if not reservation.instances:
                    del reservations[reservation.id]
            for instance_id in old:
                del self._ended[instance_id]

    # Reports of the host.

    def booted(self, instance_id: str) -> None:
        """Note that the machine is up."""
        with self.lock:
            instance = self.find(instance_id)
            if instance is not None and instance.state == "pending":
                set_state(instance, "running")

    def halted(self, instance_id: str) -> None:
        """Note that a machine has ended after a stop or a termination."""
        with self.lock:
            instance = self.find(instance_id)
            if instance is None:
                return
            if instance.state == "stopping":
                set_state(instance, "stopped")
            elif instance.state == "shutting-down":
                self._end(instance)

    def powered_off(self, instance_id: str) -> bool:
        """Note that the machine switched itself off.

        Returns:
            True if the instance is now terminated (InstanceInitiatedShutdownBehavior), so that its
            disk can be deleted.
        """
        with self.lock:
            instance = self.find(instance_id)
            if instance is None:
                return True
            if instance.state not in ("pending", "running"):
                # A client's stop or terminate came first; its request is in the host's queue.
                return False
            terminate: bool = instance.instance_initiated_shutdown_behavior == "terminate"
            instance.terminate_now() if terminate else instance.stop_now()
            give_reason(instance, *OWN_SHUTDOWN)
            if terminate:
                self._end(instance)
            else:
                set_state(instance, "stopped")
            return terminate

    def failed(self, instance_id: str, reason: str, *, code: str = HARDWARE_FAILURE) -> None:
        """Stop the instance of a machine that died or never came up, with a Server reason.

        Args:
            instance_id: of the machine.
            reason: for people.
            code: of EC2's StateReason.
        """
        with self.lock:
            instance = self.find(instance_id)
            if instance is None or instance.state not in ("pending", "running"):
                return
            instance.stop_now()
            give_reason(instance, code, reason)
            set_state(instance, "stopped")

    def _end(self, instance: Any) -> None:
        set_state(instance, "terminated")
        self._ended[instance.id] = self._clock()

    # Reads.

    def find(self, instance_id: str) -> Any:
        """Return the instance as moto keeps it, or None when EC2 has forgotten it."""
        return self.backend.get_instance_by_id(instance_id)

    def facts(self, instance_id: str) -> InstanceFacts | None:
        """Return the instance's data for its metadata service; None if EC2 has forgotten it."""
        with self.lock:
            instance = self.find(instance_id)
            if instance is None:
                return None
            profile_arn = (instance.iam_instance_profile or {}).get("Arn")
            return InstanceFacts(
                instance_id=instance.id,
                image_id=instance.image_id,
                instance_type=instance.instance_type,
                architecture=instance.architecture or "x86_64",
                private_ip=instance.private_ip,
                region=self.region,
                availability_zone=instance.availability_zone,
                account_id=self.account_id,
                launch_index=instance.ami_launch_index,
                user_data=base64.b64decode(str(instance.user_data or "")),
                tags={tag["key"]: tag["value"] for tag in instance.get_tags()},
                tags_in_metadata=instance.metadata_options.instance_metadata_tags == "enabled",
                role=self._role(profile_arn),
                profile_arn=profile_arn,
            )

    def _role(self, profile_arn: str | None) -> str | None:
        if profile_arn is None:
            return None
        iam: Any = iam_backends[self.account_id]["aws"]
        roles = iam.get_instance_profile_by_arn(profile_arn).roles
        name: str | None = roles[0].name if roles else None
        return name


def set_state(instance: Any, name: str) -> None:
    """Put moto's instance into one of EC2's states."""
    instance._state.name, instance._state.code = name, CODES[name]  # noqa: SLF001 - moto's field


def give_reason(instance: Any, code: str, message: str) -> None:
    """Set the reason for the end of the running state, in EC2's two fields for it."""
    when = utcnow().strftime("%Y-%m-%d %H:%M:%S UTC")
    text = f"User initiated ({when})" if code == USER_SHUTDOWN[0] else code
    instance._reason = text  # noqa: SLF001 - moto's field
    instance.state_reason = StateReason(f"{code}: {message}", code)
