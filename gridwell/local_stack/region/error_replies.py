"""AWS's error replies, as each service words and wraps them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from xml.sax.saxutils import escape

REQUEST_ID: Final = "00000000-fa17-4000-8000-000000000000"  #: marks what was made up
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReply:
    """An HTTP reply."""

    status: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    content: bytes = b""

    @property
    def is_ok(self) -> bool:
        """True if the call succeeded."""
        return self.status.startswith("2")

    @property
    def data(self) -> dict[str, Any]:
        """The content of a JSON reply."""
        found: dict[str, Any] = json.loads(self.content) if self.content else {}
        return found


class FailedCall(Protocol):
    """The properties of a call that decide the form of an error."""

    @property
    def service(self) -> str:
        """The service that a request is signed for; empty if it is not signed."""

    @property
    def target(self) -> str:
        """The name that a JSON request gives its operation; empty for any other request."""


class NamedCall(FailedCall, Protocol):
    """A call whose operation is known."""

    @property
    def operation(self) -> str:
        """The operation's name, such as `PutItem`."""


@dataclass(frozen=True, slots=True)
class _Error:
    status: int
    code: str
    message: str


_RATE: Final = "Rate exceeded"
_THROTTLED: Final = {
    "ec2": _Error(503, "RequestLimitExceeded", "Request limit exceeded."),
    "s3": _Error(503, "SlowDown", "Please reduce your request rate."),
    "sqs": _Error(400, "RequestThrottled", "The request was denied due to request throttling."),
}
#: DynamoDB has one word for items and another for everything else.
_ITEMS: Final = frozenset(
    {
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "UpdateItem",
    }
)
_TABLE_THROTTLED: Final = _Error(
    400,
    "ProvisionedThroughputExceededException",
    "The level of configured provisioned throughput for the table was exceeded. Consider"
    " increasing your provisioning level with the UpdateTable API.",
)
_BROKEN: Final = {
    "ec2": _Error(500, "InternalError", "An internal error has occurred"),
    "s3": _Error(500, "InternalError", "We encountered an internal error. Please try again."),
    "sqs": _Error(500, "InternalFailure", "The request failed due to an internal failure."),
    "dynamodb": _Error(500, "InternalServerError", "Internal server error"),
}
_AWAY: Final = _Error(503, "ServiceUnavailable", "Service is unable to handle request.")
_FORBIDDEN: Final = {
    "ec2": _Error(
        403, "UnauthorizedOperation", "You are not authorized to perform this operation."
    ),
    "s3": _Error(403, "AccessDenied", "Access Denied"),
    "sqs": _Error(403, "AccessDenied", "Access to the resource is denied."),
}
_FULL: Final = _Error(
    500,
    "InsufficientInstanceCapacity",
    "We currently do not have sufficient capacity in the Availability Zone you requested. Our"
    " system will be working on provisioning additional capacity.",
)


#: What EC2 does not do, however often it is asked.
_REFUSED: Final = {
    "offer refused": _Error(
        403, "UnauthorizedOperation", "You are not authorized to perform this operation."
    ),
    "start refused for good": _Error(
        400, "InvalidVolume.NotFound", "The root volume of the instance does not exist."
    ),
    "stop refused": _Error(
        400,
        "OperationNotPermitted",
        "The instance may not be stopped. Modify its 'disableApiStop' instance attribute.",
    ),
    "protected": _Error(
        400,
        "OperationNotPermitted",
        "The instance may not be terminated. Modify its 'disableApiTermination' instance"
        " attribute.",
    ),
}
#: The kinds of refusals that last.
REFUSALS: Final = tuple(_REFUSED)


def throttled(call: NamedCall) -> ErrorReply:
    """One call too many."""
    if call.service == "dynamodb" and call.operation in _ITEMS:
        return _reply(call, _TABLE_THROTTLED)
    code = "ThrottlingException" if call.target else "Throttling"
    return _reply(call, _THROTTLED.get(call.service, _Error(400, code, _RATE)))


def server_error(call: FailedCall, draw: float) -> ErrorReply:
    """Return a fault of the service: half of them as 500, half as 503."""
    broken = _BROKEN.get(call.service, _Error(500, "InternalFailure", "Internal failure"))
    return _reply(call, broken if draw < 0.5 else _AWAY)  # noqa: PLR2004 - a half


def access_denied(call: FailedCall) -> ErrorReply:
    """Return a refusal for want of a right, in the words of the service."""
    refusal = _FORBIDDEN.get(call.service, _Error(400, "AccessDeniedException", "Access denied."))
    return _reply(call, refusal)


def no_capacity(call: FailedCall) -> ErrorReply:
    """EC2 has no machine; with HTTP 500, so that clients try again by themselves."""
    return _reply(call, _FULL)


def denied(asked: FailedCall, status: int, code: str, reason: str) -> ErrorReply:
    """Return an error of a caller's credentials, in the form that its service has."""
    return _reply(asked, _Error(status, code, reason))


def refused(call: FailedCall, kind: str) -> ErrorReply:
    """EC2 does not do it, for a reason of the kind."""
    return _reply(call, _REFUSED[kind])


def of_json(data: dict[str, Any]) -> ErrorReply:
    """Return a JSON reply of a call that succeeded."""
    return ErrorReply(
        status="200 OK",
        headers=[("Content-Type", "application/x-amz-json-1.0")],
        content=json.dumps(data).encode(),
    )


def _reply(call: FailedCall, error: _Error) -> ErrorReply:
    if call.target:
        kind, content = "application/x-amz-json-1.0", _json(call, error)
    else:
        kind, content = "text/xml", _xml(call, error)
    return ErrorReply(
        status=f"{error.status} {_REASONS[error.status]}",
        headers=[("Content-Type", kind), ("x-amzn-RequestId", REQUEST_ID)],
        content=content,
    )


def _json(call: FailedCall, error: _Error) -> bytes:
    space = "com.amazonaws.dynamodb.v20120810" if call.service == "dynamodb" else "com.amazonaws"
    return json.dumps({"__type": f"{space}#{error.code}", "message": error.message}).encode()


def _xml(call: FailedCall, error: _Error) -> bytes:
    inner = f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
    if call.service == "s3":
        xml = f"<Error>{inner}<RequestId>{REQUEST_ID}</RequestId></Error>"
    elif call.service == "ec2":
        xml = (
            f"<Response><Errors><Error>{inner}</Error></Errors>"
            f"<RequestID>{REQUEST_ID}</RequestID></Response>"
        )
    else:
        side = "Sender" if error.status < 500 else "Receiver"  # noqa: PLR2004 - HTTP's own limit
        xml = (
            f"<ErrorResponse><Error><Type>{side}</Type>{inner}</Error>"
            f"<RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
        )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}'.encode()
