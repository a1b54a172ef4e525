"""The endpoint at which the plan is read and changed while the region runs.

* `GET /_gridwell/faults`: the plan, and how often each kind has happened.
* `PUT /_gridwell/faults`: set a new plan and reset all counts.
* `POST /_gridwell/faults/away` with `{"seconds": 5}`: serve no call for so long.
* `POST /_gridwell/faults/empty` with `{"queue": name}`: lose all its messages.
* `POST /_gridwell/faults/duplicate` with `{"queue": name}`: double every message.

`gridwell.local_stack.region.control_calls` decides who may call it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from gridwell.local_stack.faults.plan_json import LONGEST_SECONDS, InvalidFaultPlan, decode, encode
from gridwell.local_stack.region.control_calls import (
    ControlRefused,
    answered,
    json_body,
    only_field,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gridwell.local_stack.faults.injector import Injector
    from gridwell.local_stack.faults.queue_control import Queues

logger = logging.getLogger(__name__)

PATH: Final = "/_gridwell/faults"


class FaultControl:
    """Serves the endpoint, and hands every other request on.

    Args:
        application: of the other requests.
        injector: follows the plan.
        queues: of the region.
    """

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        *,
        injector: Injector,
        queues: Queues,
    ) -> None:
        self._application = application
        self._injector = injector
        self._queues = queues

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve control calls, and pass other requests on (PEP 3333)."""
        path = environ.get("PATH_INFO", "")
        if path != PATH and not path.startswith(PATH + "/"):
            return self._application(environ, start_response)
        return answered(lambda: self._answer(environ, path[len(PATH) + 1 :]), start_response)

    def _answer(self, environ: dict[str, Any], command: str) -> dict[str, Any]:
        method = environ["REQUEST_METHOD"]
        if method == "GET" and not command:
            return self._told()
        content = json_body(environ)
        if method == "PUT" and not command:
            return self._put(content)
        if method == "POST" and command in ("away", "empty", "duplicate"):
            return self._do(command, content)
        raise ControlRefused(
            "405 Method Not Allowed",
            f"{method} {environ['PATH_INFO']}: there are GET and PUT of {PATH}, and POST of"
            f" {PATH}/away, empty and duplicate",
        )

    def _told(self) -> dict[str, Any]:
        return {
            "plan": encode(self._injector.plan),
            "injected": dict(sorted(self._injector.injected.items())),
            "away_seconds": self._injector.away_seconds(),
        }

    def _put(self, content: bytes) -> dict[str, Any]:
        try:
            plan = decode(content)
        except InvalidFaultPlan as error:
            raise ControlRefused("400 Bad Request", str(error)) from error
        self._injector.put(plan)
        logger.warning(
            "%s",
            f"FAULTS ARE ON: {len(plan.faults)} planned, seed {plan.seed}"
            if plan.faults
            else "no faults are planned now",
            extra={"action": "faults.put", "faults": len(plan.faults), "seed": plan.seed},
        )
        return self._told()

    def _do(self, command: str, content: bytes) -> dict[str, Any]:
        if command == "away":
            return self._go_away(only_field(content, command, "seconds"))
        queue = only_field(content, command, "queue")
        if not isinstance(queue, str) or self._queues.find(queue) is None:
            there = ", ".join(self._queues.names()) or "none"
            raise ControlRefused(
                "404 Not Found", f"no standard queue {queue!r}; there are: {there}"
            )
        act = self._queues.empty if command == "empty" else self._queues.duplicate
        messages = act(queue)
        logger.warning(
            "%s of the queue %s: %d messages",
            command,
            queue,
            messages,
            extra={"action": f"faults.{command}", "queue": queue, "messages": messages},
        )
        return {"messages": messages}

    def _go_away(self, seconds: Any) -> dict[str, Any]:
        is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        if not is_number or not 0 <= seconds <= LONGEST_SECONDS:
            raise ControlRefused(
                "400 Bad Request",
                f"seconds must be a number from 0 to {LONGEST_SECONDS:g}, not {seconds!r}",
            )
        self._injector.go_away(seconds)
        logger.warning("away for %g s", seconds, extra={"action": "faults.away"})
        return {"away_seconds": self._injector.away_seconds()}
