"""Patch of moto's EC2 instances: their states follow `Lifecycle`.

Behaviours of moto that it replaces:

* An instance runs, stops or terminates at once.  With the patch it is pending, stopping or
  shutting down until its machine has booted or ended.
* RunInstances ignores a limit of running instances, MaxCount beyond it, and ClientToken.
* A launch template's instance profile, metadata options and shutdown behaviour have no effect.
* An operation is accepted in each state of the instance.  AWS refuses some, and changes none of
  several instances if it refuses one.
* GetConsoleOutput returns a constant.
"""

from __future__ import annotations

import base64
import functools
import json
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.core.utils import utcnow
from moto.ec2.exceptions import InvalidAMIIdError
from moto.ec2.models.instances import Instance as _Instance
from moto.ec2.models.instances import InstanceBackend as _InstanceBackend
from moto.ec2.responses.general import General as _General
from moto.ec2.responses.instances import InstanceResponse as _InstanceResponse

from gridwell.local_stack.region.instance_lifecycle import (
    USER_SHUTDOWN,
    Lifecycle,
    client_error,
    give_reason,
    set_state,
)

if TYPE_CHECKING:
    from collections.abc import Callable

USER_DATA_BYTES = 16 * 1024
CONSOLE_BYTES = 64 * 1024  #: what GetConsoleOutput shows: the end of the log
#: InstanceMetadataOptions and their kin are merged from the template into the request.
_TEMPLATE_OPTIONS = (
    ("MetadataOptions", "metadata_options"),
    ("InstanceInitiatedShutdownBehavior", "instance_initiated_shutdown_behavior"),
)


def install(lifecycle: Lifecycle) -> None:
    """Make moto's EC2 follow `lifecycle`.  Once per process: the classes are moto's own."""
    _patch_instance(_Instance, lifecycle)
    _patch_backend(_InstanceBackend, lifecycle)
    _patch_responses(_InstanceResponse, _General, lifecycle)


def _patch_instance(instance_class: Any, lifecycle: Lifecycle) -> None:
    stock_init = instance_class.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        stock_init(self, *args, **kwargs)
        set_state(self, "pending")

    # The side effects of moto's own verbs (network, volumes), for the host's reports.
    instance_class.stop_now = instance_class.stop
    instance_class.terminate_now = instance_class.terminate
    instance_class.__init__ = init
    for name, verb in (("start", "started"), ("stop", "stopped"), ("terminate", "terminated")):
        setattr(instance_class, name, _verb(getattr(instance_class, name), verb, lifecycle))


def _verb(stock: Callable[[Any], Any], verb: str, lifecycle: Lifecycle) -> Callable[[Any], Any]:
    @functools.wraps(stock)
    def act(self: Any) -> Any:
        with lifecycle.lock:
            previous = type(self._state)(self._state.name, self._state.code)
            if not lifecycle.check(self, verb):
                return previous
            stock(self)
            if verb != "started":
                give_reason(self, *USER_SHUTDOWN)
            lifecycle.change(self, verb)
            return previous

    return act


def _patch_backend(backend_class: Any, lifecycle: Lifecycle) -> None:
    stock_run = backend_class.run_instances

    def run_instances(
        self: Any, image_id: str, count: int, user_data: Any, groups: Any, **kwargs: Any
    ) -> Any:
        template = _template(self, kwargs.get("launch_template"))
        for source, target in _TEMPLATE_OPTIONS:
            kwargs[target] = kwargs.get(target) or template.get(source)
        kwargs["metadata_options"] = kwargs["metadata_options"] or {}
        user_data = user_data if user_data is not None else template.get("UserData")
        with lifecycle.lock:
            _check_image(self, image_id or template.get("ImageId", ""))
            _check_user_data(user_data)
            reservation = stock_run(self, image_id, count, user_data, groups, **kwargs)
            _associate_profile(self, reservation.instances, kwargs, template)
            for instance in reservation.instances:
                lifecycle.host.boot(instance.id)
        return reservation

    def reboot_instances(self: Any, instance_ids: list[str]) -> Any:
        with lifecycle.lock:
            instances = self.get_multi_instances_by_id(instance_ids)
            for instance in instances:
                if instance.state != "running":
                    raise client_error(
                        "IncorrectInstanceState",
                        f"The instance '{instance.id}' is {instance.state}; only a running"
                        " instance can be rebooted.",
                    )
            for instance in instances:
                lifecycle.host.reboot(instance.id)
            return instances

    backend_class.run_instances = run_instances
    backend_class.reboot_instances = reboot_instances
    for name, verb in (("start", "started"), ("stop", "stopped"), ("terminate", "terminated")):
        stock = getattr(backend_class, f"{name}_instances")
        setattr(backend_class, f"{name}_instances", _all_or_nothing(stock, verb, lifecycle))


def _all_or_nothing(
    stock: Callable[..., Any], verb: str, lifecycle: Lifecycle
) -> Callable[..., Any]:
    """Return an operation on several instances that changes none of them if it refuses one."""

    @functools.wraps(stock)
    def act(self: Any, instance_ids: list[str]) -> Any:
        with lifecycle.lock:
            instances = self.get_multi_instances_by_id(instance_ids)
            changing = [i for i in instances if lifecycle.check(i, verb)]
            if verb == "started":
                lifecycle.refuse_beyond_limit(len(changing))
            return stock(self, instance_ids)

    return act


def _template(backend: Any, argument: dict[str, Any] | None) -> dict[str, Any]:
    if not argument:
        return {}
    data: dict[str, Any] = backend._get_template_from_args(argument).data  # noqa: SLF001 - moto's
    return data


def _check_image(backend: Any, image_id: str) -> None:
    image = backend.amis.get(image_id)
    if image is None:
        raise InvalidAMIIdError([image_id])
    if image.state != "available":
        raise client_error(
            "InvalidAMIID.Unavailable", f"The image id '[{image_id}]' is {image.state}."
        )


def _check_user_data(user_data: Any) -> None:
    size = len(base64.b64decode(str(user_data or "")))
    if size > USER_DATA_BYTES:
        raise client_error(
            "InvalidParameterValue",
            f"User data is limited to {USER_DATA_BYTES} bytes; this has {size}.",
        )


def _associate_profile(
    backend: Any, instances: list[Any], request: dict[str, Any], template: dict[str, Any]
) -> None:
    """Give every instance its profile; moto serves only the request's, and only the first."""
    name, arn = request.get("iam_instance_profile_name"), request.get("iam_instance_profile_arn")
    left = instances[1:] if name or arn else instances
    if not (name or arn):
        profile = template.get("IamInstanceProfile") or {}
        name, arn = profile.get("Name"), profile.get("Arn")
    for instance in left if name or arn else ():
        backend.associate_iam_instance_profile(
            instance_id=instance.id, iam_instance_profile_name=name, iam_instance_profile_arn=arn
        )


def _patch_responses(responses: Any, general: Any, lifecycle: Lifecycle) -> None:
    stock_run, stock_stop = responses.run_instances, responses.stop_instances
    stock_describe = responses.describe_instances
    tokens: dict[str, tuple[str, Any]] = {}

    def run_instances(self: Any) -> Any:
        token = self._get_param("ClientToken")
        fingerprint = _fingerprint(self)
        with lifecycle.lock:
            lifecycle.forget_terminated()
            # A token lives as long as EC2 remembers what it launched.
            if token in tokens and tokens[token][1].instances:
                known, reservation = tokens[token]
                if known != fingerprint:
                    raise client_error(
                        "IdempotentParameterMismatch",
                        f"Arguments on this idempotent request are inconsistent with arguments"
                        f" used in previous request(s) of client token {token}.",
                    )
                return ActionResult(reservation)
            count = _count(self, lifecycle)
            stock_param = self._get_param
            self._get_param = lambda name, *args, **kwargs: (
                count if name == "MinCount" else stock_param(name, *args, **kwargs)
            )
            result = stock_run(self)
            if token:
                tokens[token] = (fingerprint, result.result)
            return result

    def stop_instances(self: Any) -> Any:
        result = stock_stop(self)
        if self._get_param("Force"):
            for instance_id in self._get_param("InstanceIds", []):
                lifecycle.host.stop(instance_id, force=True)
        return result

    def describe_instances(self: Any) -> Any:
        lifecycle.forget_terminated()
        return stock_describe(self)

    def get_console_output(self: Any) -> Any:
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        text = lifecycle.host.console(instance.id)[-CONSOLE_BYTES:]
        encoded = Base64EncodedString(base64.b64encode(text).decode())
        return ActionResult({"InstanceId": instance.id, "Timestamp": utcnow(), "Output": encoded})

    responses.run_instances = run_instances
    responses.stop_instances = stop_instances
    responses.describe_instances = describe_instances
    general.get_console_output = get_console_output


def _fingerprint(response: Any) -> str:
    """Return all of a request that makes it the same request as before."""
    return json.dumps(response.params, sort_keys=True, default=str)


def _count(response: Any, lifecycle: Lifecycle) -> int:
    """As many instances as there is room for, between MinCount and MaxCount."""
    least = int(response._get_param("MinCount", 1))  # noqa: SLF001 - moto's way to parameters
    most = int(response._get_param("MaxCount", least))  # noqa: SLF001 - see above
    if not 1 <= least <= most:
        raise client_error(
            "InvalidParameterValue",
            f"MinCount {least} and MaxCount {most}: need 1 <= MinCount <= MaxCount.",
        )
    lifecycle.refuse_beyond_limit(least)
    return min(most, lifecycle.places())
