"""The address at which an instance is killed, as hardware that breaks kills it.

    POST /_gridwell/kill   {"instance": "i-…"}

Its power is cut at once: no shutdown, no last word.  EC2 then shows it stopped, with a Server
reason.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from gridwell.local_stack.region.control_calls import (
    ControlRefused,
    answered,
    json_body,
    only_field,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)

PATH: Final = "/_gridwell/kill"


class KillSwitch:
    """Serves the address, and hands every other request on.

    Args:
        application: of the other requests.
        cut_power: of an instance's machine; whether there is one that is on.
    """

    def __init__(
        self, application: Callable[..., Iterable[bytes]], *, cut_power: Callable[[str], bool]
    ) -> None:
        self._application = application
        self._cut_power = cut_power

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve kill requests, and pass other requests on (PEP 3333)."""
        if environ.get("PATH_INFO", "") != PATH:
            return self._application(environ, start_response)
        return answered(lambda: self._kill(environ), start_response)

    def _kill(self, environ: dict[str, Any]) -> dict[str, Any]:
        if environ["REQUEST_METHOD"] != "POST":
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
