"""Calls of AWS's API, recognised in HTTP requests."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote

from gridwell.local_stack.faults.plan import FaultTarget

if TYPE_CHECKING:
    from gridwell.local_stack.faults.calling_process import Callers

_SIGNED: Final = re.compile(r"Credential=[^/,]+/\d+/[^/]+/([^/]+)/aws4_request")
_PRESIGNED: Final = re.compile(r"X-Amz-Credential=[^&]+%2F([^%&]+)%2Faws4_request")
#: S3 has no operation in its requests: (method, whether a key is named) -> operation.
_S3: Final = {
    ("PUT", True): "PutObject",
    ("GET", True): "GetObject",
    ("HEAD", True): "HeadObject",
    ("DELETE", True): "DeleteObject",
    ("PUT", False): "CreateBucket",
    ("HEAD", False): "HeadBucket",
    ("DELETE", False): "DeleteBucket",
    ("POST", False): "DeleteObjects",
}
_S3_SUBRESOURCE: Final = re.compile(r"(?:^|&)(acl|tagging|policy|versioning|uploads|uploadId)\b")
_NAMES: Final = ("QueueName", "TableName", "StackName", "Name")


@dataclass(frozen=True)
class Call:
    """A request to the region's API, with its body read."""

    environ: dict[str, Any]
    content: bytes
    callers: Callers

    @cached_property
    def service(self) -> str:
        """The service that the request is signed for; empty if it is not signed."""
        found = _SIGNED.search(self.environ.get("HTTP_AUTHORIZATION", "")) or _PRESIGNED.search(
            self.environ.get("QUERY_STRING", "")
        )
        return found.group(1) if found else ""

    @cached_property
    def target(self) -> str:
        """The name that a JSON request gives its operation, like ``AmazonSQS.SendMessage``."""
        return str(self.environ.get("HTTP_X_AMZ_TARGET", ""))

    @cached_property
    def operation(self) -> str:
        """The operation's name in AWS's API; empty if it is unknown."""
        if self.target:
            return self.target.rpartition(".")[2]
        return self._s3_operation() if self.service == "s3" else self.parameters.get("Action", "")

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The fields of a form, which EC2 and CloudFormation take."""
        if self.target or self.service == "s3":
            return {}
        pairs = parse_qs(self.content.decode(errors="replace"), keep_blank_values=True)
        return {name: values[0] for name, values in pairs.items()}

    @cached_property
    def data(self) -> dict[str, Any]:
        """The content of a JSON request; empty for any other."""
        try:
            found = json.loads(self.content) if self.target else {}
        except ValueError:
            return {}  # moto will say what is wrong with it
        return found if isinstance(found, dict) else {}

    @cached_property
    def fault_target(self) -> FaultTarget:
        """The properties of the call by which a plan can select it."""
        return FaultTarget(
            service=self.service, operation=self.operation, resources=frozenset(self._resources())
        )

    @property
    def connection(self) -> Any:
        """The socket of the request."""
        return self.environ["werkzeug.socket"]

    def program(self) -> str:
        """Return the program that calls; empty if it does not belong to this local stack."""
        return self.callers.program(self.connection)

    @property
    def queue(self) -> str:
        """The queue's name in a call of SQS."""
        return str(self.data.get("QueueUrl", "")).rpartition("/")[2]

    def changed(self, data: dict[str, Any]) -> Call:
        """Return the same JSON call with other data."""
        content = json.dumps(data).encode()
        environ = {
            **self.environ,
            "wsgi.input": io.BytesIO(content),
            "CONTENT_LENGTH": str(len(content)),
        }
        return Call(environ, content, self.callers)

    def _resources(self) -> list[str]:
        if self.service == "s3":
            bucket, _, key = unquote(self.environ.get("PATH_INFO", "")).strip("/").partition("/")
            return [bucket, key] if key else [bucket]
        named = [str(self.data[name]) for name in _NAMES if name in self.data]
        if "QueueUrl" in self.data:
            named.append(self.queue)
        items = self.data.get("RequestItems")
        named += list(items) if isinstance(items, dict) else []
        instances = [v for k, v in self.parameters.items() if k.startswith("InstanceId")]
        offer = [self.parameters.get(name, "") for name in ("InstanceType", "SubnetId")]
        return named + instances + [value for value in offer if value]

    def _s3_operation(self) -> str:
        if _S3_SUBRESOURCE.search(self.environ.get("QUERY_STRING", "")):
            return ""
        method = self.environ["REQUEST_METHOD"]
        has_key = "/" in self.environ.get("PATH_INFO", "").strip("/")
        if method == "GET" and not has_key:
            is_v2 = "list-type=2" in self.environ.get("QUERY_STRING", "")
            return "ListObjectsV2" if is_v2 else "ListObjects"
        return _S3.get((method, has_key), "")


def read_call(environ: dict[str, Any], callers: Callers) -> Call:
    """Return the call that a WSGI request is; its body stays readable for the application.

    Args:
        environ: of the request.
        callers: finds the calling process when it is needed.
    """
    content = environ["wsgi.input"].read()
    environ["wsgi.input"] = io.BytesIO(content)
    return Call(environ, content, callers)
