"""Client of the control endpoint of faults, for commands and tests."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gridwell.engine.errors import ServiceError
from gridwell.local_stack.faults.control_endpoint import PATH
from gridwell.local_stack.faults.plan_json import encode

if TYPE_CHECKING:
    from gridwell.local_stack.faults.plan import FaultPlan

_SECONDS = 10.0
_VARIABLE = "AWS_ACCESS_KEY_ID"


@dataclass(frozen=True, slots=True)
class RemoteFaults:
    """The faults of a running region.

    Each method raises ServiceError when the region refuses, or does not answer.

    Args:
        endpoint: of the region's API.
        access_key: the id of the region's access key; by default AWS_ACCESS_KEY_ID's.
    """

    endpoint: str
    access_key: str = field(default_factory=lambda: os.environ.get(_VARIABLE, ""), kw_only=True)

    def report(self) -> dict[str, Any]:
        """Return ``plan``, and ``injected``: the number of faults of each kind."""
        return self._ask("GET", "", None)

    def injected(self) -> dict[str, int]:
        """Return the number of faults of each kind since the plan was put."""
        counts: dict[str, int] = self.report()["injected"]
        return counts

    def put(self, plan: FaultPlan) -> None:
        """Follow a new plan from now on; all counts begin at 0."""
        self._ask("PUT", "", encode(plan))

    def away(self, seconds: float) -> None:
        """Serve no call for so long; 0 ends it at once."""
        self._ask("POST", "/away", {"seconds": seconds})

    def empty(self, queue: str) -> int:
        """Lose every message of a queue and return their number."""
        return int(self._ask("POST", "/empty", {"queue": queue})["messages"])

    def duplicate(self, queue: str) -> int:
        """Double every message of a queue and return their number."""
        return int(self._ask("POST", "/duplicate", {"queue": queue})["messages"])

    def _ask(self, method: str, path: str, data: Any) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - our own http address
            f"{self.endpoint}{PATH}{path}",
            method=method,
            data=None if data is None else json.dumps(data).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self.access_key}",
            },
        )
        try:
            # No proxy of the user's is asked for what listens on this machine.
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=_SECONDS) as reply:
                answer: dict[str, Any] = json.load(reply)
        except urllib.error.HTTPError as error:
            raise ServiceError(_message(error)) from error
        except OSError as error:
            raise ServiceError(f"the region at {self.endpoint} does not answer: {error}") from error
        return answer


def _message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return (
            f"the region answers {error.code}: it was started without faults; start it with"
            " `gridwell local up --faults none` (or mild, wild, FILE.json)"
        )
