"""What has changed in the fleet since the last look.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridwell.fleet.model import InstanceState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridwell.client.fleet import FleetStatus


def states(fleet: FleetStatus) -> dict[str, str]:
    """Each instance's state, by its id."""
    return {instance.id: instance.state for instance in fleet.instances}


def news(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """A line for each instance that is new or in another state than before.

    An instance that was never seen alive is no news when it is terminated; one that has left
    the list was terminated between two looks.

    Args:
        before: states by instance id, as last seen.
        after: states by instance id, as they are.
    """
    gone = {
        name: InstanceState.TERMINATED.value
        for name, state in before.items()
        if name not in after and state != InstanceState.TERMINATED
    }
    return [
        f"{name} {state}"
        for name, state in {**after, **gone}.items()
        if before.get(name, InstanceState.TERMINATED) != state
    ]
