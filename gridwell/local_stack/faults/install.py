"""Installation of the faults in a region that does not serve yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gridwell.local_stack.faults.calling_process import Callers
from gridwell.local_stack.faults.control_endpoint import FaultControl
from gridwell.local_stack.faults.ec2_faults import FaultyHost
from gridwell.local_stack.faults.injector import Injector
from gridwell.local_stack.faults.metadata import MetadataFaults
from gridwell.local_stack.faults.queue_control import Queues
from gridwell.local_stack.faults.wsgi_layer import FaultLayer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gridwell.local_stack.region.instance_lifecycle import Lifecycle, MachineHost


def install(
    server: Any,
    *,
    host: MachineHost,
    lifecycle: Lifecycle,
    state: Path,
    account_id: str,
    region: str,
    on_metadata: Callable[[MetadataFaults], None] = lambda _: None,
) -> FaultyHost:
    """Wrap the server's application; nothing is planned yet.

    Args:
        server: of the region's API, not serving yet.
        host: the EC2 host.
        lifecycle: of the region's instances.
        state: the region's folder, by which its programs are known.
        account_id: moto's.
        region: its name.
        on_metadata: gets the faults of the instances' metadata services.

    Returns:
        The host that the lifecycle is to be attached to.
    """
    injector = Injector()
    queues = Queues(account_id=account_id, region=region)
    callers = Callers(state)
    faulty = FaultyHost(host, lifecycle)
    layer = FaultLayer(server.app, injector=injector, callers=callers, host=faulty, queues=queues)
    on_metadata(MetadataFaults(injector, callers))
    server.app = FaultControl(layer, injector=injector, queues=queues)
    return faulty
