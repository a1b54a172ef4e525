"""Calls that are no AWS's: what the region itself is asked at addresses of its own.

No bucket can have the name of their paths.  The server refuses web pages, and callers without the
region's access key, before any call comes here: see `gridwell.local_stack.region.http_server`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class ControlRefused(Exception):  # noqa: N818 - an answer more than an error
    """The call is refused, with these words.

    Args:
        status: of HTTP.
        why: for people.
    """

    def __init__(self, status: str, why: str) -> None:
        self.status = status
        super().__init__(why)


def json_body(environ: dict[str, Any]) -> bytes:
    """The body of a call that says it is JSON.

    Raises:
        Refused: if it does not.
    """
    if environ.get("CONTENT_TYPE", "").partition(";")[0] != "application/json":
        raise ControlRefused("415 Unsupported Media Type", "send application/json")
    body: bytes = environ["wsgi.input"].read()
    return body


def only_field(body: bytes, command: str, name: str) -> Any:
    """The value of the one field that a call takes.

    Raises:
        Refused: if the body is anything else.
    """
    try:
        told = json.loads(body)
    except ValueError as error:
        raise ControlRefused("400 Bad Request", f"the body must be JSON: {error}") from error
    if not isinstance(told, dict) or set(told) != {name}:
        raise ControlRefused("400 Bad Request", f"{command} takes an object with '{name}' alone")
    return told[name]


def answered(answer: Callable[[], dict[str, Any]], start_response: Any) -> Iterable[bytes]:
    """Return the answer of a call, or the reason of its refusal, as JSON."""
    try:
        told, status = answer(), "200 OK"
    except ControlRefused as refused:
        told, status = {"error": str(refused)}, refused.status
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(told, indent=2).encode() + b"\n"]
