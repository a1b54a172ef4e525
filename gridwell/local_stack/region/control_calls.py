"""Base of the region's control endpoints, which are not part of AWS's API.

No bucket can have the name of their paths.  The server refuses web pages,
and callers without the region's access key, before any call arrives here; see
`gridwell.local_stack.region.http_server`.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class ControlRefused(Exception):  # noqa: N818 - a response more than an error
    """Refusal of a call.

    Args:
        status: HTTP status code and phrase.
        reason: the response's ``error``.
    """

    def __init__(self, status: str, reason: str) -> None:
        self.status = status
        super().__init__(reason)


class ControlEndpoint(ABC):
    """WSGI layer that serves one path and all below it, and passes other requests on.

    Args:
        application: serves the other requests.
        path: of the endpoint, such as ``/_gridwell/kill``.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], *, path: str) -> None:
        self._application = application
        self._path = path

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve a request (PEP 3333); the response is JSON, a refusal ``{"error": reason}``."""
        path = environ.get("PATH_INFO", "")
        if path != self._path and not path.startswith(self._path + "/"):
            return self._application(environ, start_response)
        command = path[len(self._path) + 1 :]
        try:
            content, status = self._respond(environ["REQUEST_METHOD"], command, environ), "200 OK"
        except ControlRefused as refused:
            content, status = {"error": str(refused)}, refused.status
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(content, indent=2).encode() + b"\n"]

    @abstractmethod
    def _respond(self, method: str, command: str, environ: dict[str, Any]) -> dict[str, Any]:
        """Carry out a call and return the response's fields.

        Args:
            method: of the request.
            command: the rest of the path below the endpoint's own; empty at the endpoint itself.
            environ: of the request.

        Raises:
            ControlRefused: if there is no such call, or if it cannot be carried out.
        """


def json_body(environ: dict[str, Any]) -> bytes:
    """Return the body of a request whose content type is JSON.

    Raises:
        ControlRefused: if the content type is another.
    """
    if environ.get("CONTENT_TYPE", "").partition(";")[0] != "application/json":
        raise ControlRefused("415 Unsupported Media Type", "send application/json")
    body: bytes = environ["wsgi.input"].read()
    return body


def only_field(body: bytes, command: str, name: str) -> Any:
    """Return the value of the one field that a call takes.

    Raises:
        ControlRefused: if the body is anything else.
    """
    try:
        content = json.loads(body)
    except ValueError as error:
        raise ControlRefused("400 Bad Request", f"the body must be JSON: {error}") from error
    if not isinstance(content, dict) or set(content) != {name}:
        raise ControlRefused("400 Bad Request", f"{command} takes an object with '{name}' alone")
    return content[name]
