"""Control endpoint that reads and changes the fault plan while the region runs.

* `GET /_gridwell/faults`: return the plan, and the number of faults of each kind.
* `PUT /_gridwell/faults`: follow a new plan; all counts begin at 0.
* `POST /_gridwell/faults/away` with `{"seconds": 5}`: serve no call for so long.
* `POST /_gridwell/faults/empty` with `{"queue": name}`: lose all messages of the queue.
* `POST /_gridwell/faults/duplicate` with `{"queue": name}`: double each message of the queue.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from gridwell.local_stack.faults.plan_json import LONGEST_SECONDS, InvalidFaultPlan, decode, encode
from gridwell.local_stack.region.control_calls import (
    ControlEndpoint,
    ControlRefused,
    json_body,
    only_field,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gridwell.local_stack.faults.injector import Injector
    from gridwell.local_stack.faults.queue_control import Queues

logger = logging.getLogger(__name__)

PATH: Final = "/_gridwell/faults"


class FaultControl(ControlEndpoint):
    """The endpoint.

    Args:
        application: serves the other requests.
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
        super().__init__(application, path=PATH)
        self._injector = injector
        self._queues = queues

    def _respond(self, method: str, command: str, environ: dict[str, Any]) -> dict[str, Any]:
        if method == "GET" and not command:
            return self._state()
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

    def _state(self) -> dict[str, Any]:
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
        return self._state()

    def _do(self, command: str, content: bytes) -> dict[str, Any]:
        if command == "away":
            return self._go_away(only_field(content, command, "seconds"))
        queue = only_field(content, command, "queue")
        if not isinstance(queue, str) or self._queues.find(queue) is None:
            names = ", ".join(self._queues.names()) or "none"
            raise ControlRefused(
                "404 Not Found", f"no standard queue {queue!r}; there are: {names}"
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
