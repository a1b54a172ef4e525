"""Patch of moto's CloudFormation: previous values of parameters that had their default.

Behaviour of moto that it replaces: `CloudFormationBackend._resolve_update_parameters` knows only
the parameters that a request gave.  An update with `UsePreviousValue` of another parameter fails
with HTTP 500.  CloudFormation keeps each parameter's value, defaults too.
"""

from __future__ import annotations

import functools
from typing import Any

from moto.cloudformation.models import CloudFormationBackend


@functools.cache  # patching a library is per process, like the library
def install() -> None:
    """Resolve previous values from those that moto shows of a stack, once per process."""
    backend: Any = CloudFormationBackend
    stock = backend._resolve_update_parameters  # noqa: SLF001 - moto has no other place for it

    def resolve(self: Any, instance: Any, incoming_params: list[dict[str, Any]]) -> dict[str, str]:
        shown = getattr(instance, "stack_parameters", {})  # a set of stacks shows none
        known = [
            {"ParameterKey": name, "ParameterValue": shown[name]}
            if one.get("UsePreviousValue") and name not in instance.parameters and name in shown
            else one
            for one in incoming_params
            for name in [one["ParameterKey"]]
        ]
        resolved: dict[str, str] = stock(self, instance=instance, incoming_params=known)
        return resolved

    backend._resolve_update_parameters = resolve  # noqa: SLF001 - as above
