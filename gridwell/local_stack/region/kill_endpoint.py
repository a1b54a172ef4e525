"""Control endpoint that kills an instance like a hardware failure.

    POST /_gridwell/kill   {"instance": "i-…"}

The instance loses power at once, without a shutdown.  EC2 then shows it as stopped, with a Server
reason.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from gridwell.local_stack.region.control_calls import (
    ControlEndpoint,
    ControlRefused,
    json_body,
    only_field,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)

PATH: Final = "/_gridwell/kill"


class KillEndpoint(ControlEndpoint):
    """The endpoint.

    Args:
        application: serves the other requests.
        cut_power: kills an instance's machine; returns False if no such machine is on.
    """

    def __init__(
        self, application: Callable[..., Iterable[bytes]], *, cut_power: Callable[[str], bool]
    ) -> None:
        super().__init__(application, path=PATH)
        self._cut_power = cut_power

    def _respond(self, method: str, command: str, environ: dict[str, Any]) -> dict[str, Any]:
        if method != "POST" or command:
            raise ControlRefused("405 Method Not Allowed", f"there is only POST of {PATH}")
        instance = only_field(json_body(environ), "kill", "instance")
        if not isinstance(instance, str) or not self._cut_power(instance):
            raise ControlRefused("409 Conflict", f"no machine of an instance {instance!r} is on")
        logger.warning(
            "instance %s: killed on request",
            instance,
            extra={"action": "instance.killed", "instance": instance},
        )
        return {"killed": instance}
