"""Instance metadata service, version 2, of one instance on a port of its own.

A loopback port replaces 169.254.169.254, which only a network namespace could give each instance.
boto3 and our scripts take the address from AWS_EC2_METADATA_SERVICE_ENDPOINT.

On EC2 only the instance reaches its service.  Here web pages are refused, and other users of the
machine, whom the kernel names at the other end of each connection.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from gridwell.access.loopback_request import FORBIDDEN, LoopbackRefusal
from gridwell.adapters.loopback_http import LoopbackHandler
from gridwell.local_stack.loopback_peer import find_peer
from gridwell.local_stack.region.instance_facts import InstanceFacts

#: Answers with the facts of now, or None when EC2 has forgotten the instance.
FactsSource = Callable[[], InstanceFacts | None]

MAXIMUM_TOKEN_SECONDS = 21600
CREDENTIAL_SECONDS = 6 * 3600
_TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"


class RequestFaults(Protocol):
    """Faults of the service, asked for before each answer."""

    def hang_seconds(self, operation: str, instance: str, connection: Any) -> float | None:
        """Return for how long a request hangs before its connection closes; None: it does not."""

    def is_throttled(self, operation: str, instance: str, connection: Any) -> bool:
        """Return True if a request is refused as one of too many."""


class MetadataServer:
    """Server of one instance's metadata.

    Args:
        facts: of the instance.
        access_key: the id of the key in the role's credentials; no region takes the default.
        faults: asked before each answer; None: nothing goes wrong.
    """

    def __init__(
        self,
        facts: FactsSource,
        *,
        access_key: str = "local",
        faults: RequestFaults | None = None,
    ) -> None:
        self._server = _Server(facts, access_key, faults)
        thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="imds", daemon=True
        )
        thread.start()

    @property
    def endpoint(self) -> str:
        """Its address, as `http://127.0.0.1:1234`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, facts: FactsSource, access_key: str, faults: RequestFaults | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.facts = facts
        self.faults = faults
        self.access_key = access_key
        self.tokens: dict[str, float] = {}  # token -> when it lapses, on the monotonic clock


class _Handler(LoopbackHandler, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def refusal(self) -> LoopbackRefusal | None:
        """Return the reason to refuse the request; None to serve it."""
        refused = super().refusal()
        if refused is None and not self._is_of_own_user():
            refused = LoopbackRefusal(
                FORBIDDEN, "only processes of the user who runs the region may ask"
            )
        return refused

    def _is_of_own_user(self) -> bool:
        peer = find_peer(self.connection)
        return peer is not None and peer.uid == os.geteuid()

    def _meets_fault(self, operation: str) -> bool:
        """Inject a planned fault instead of a response; return True if there is one."""
        faults, facts = self.server.faults, self.server.facts()
        if faults is None or facts is None:
            return False
        met = operation, facts.instance_id, self.connection
        if (seconds := faults.hang_seconds(*met)) is not None:
            time.sleep(seconds)
            self.close_connection = True
            return True
        if faults.is_throttled(*met):
            self._reply(503)
            return True
        return False

    def do_PUT(self) -> None:
        if self._meets_fault("GetToken"):
            return
        ttl = self.headers.get(_TTL_HEADER, "")
        usable = ttl.isdigit() and 1 <= int(ttl) <= MAXIMUM_TOKEN_SECONDS
        if self.path != "/latest/api/token" or not usable:
            self._reply(400)
        elif self.headers.get("X-Forwarded-For"):
            self._reply(403)  # a misused proxy: what version 2 was made against
        else:
            now = time.monotonic()
            tokens = self.server.tokens
            for lapsed in [token for token, until in list(tokens.items()) if until < now]:
                tokens.pop(lapsed, None)
            token = secrets.token_urlsafe(42)
            tokens[token] = now + int(ttl)
            self._reply(200, token.encode(), {_TTL_HEADER: ttl})

    def do_GET(self) -> None:
        if self._meets_fault("GetMetadata"):
            return
        token = self.headers.get("X-aws-ec2-metadata-token", "")
        if self.server.tokens.get(token, 0.0) < time.monotonic():
            self._reply(401)
            return
        facts = self.server.facts()
        path = self.path.rstrip("/").removeprefix("/latest/")
        body = (
            None
            if facts is None
            else metadata(facts, time.time(), access_key=self.server.access_key).get(path)
        )
        self._reply(404) if body is None else self._reply(200, body)

    def _reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def metadata(facts: InstanceFacts, now: float, *, access_key: str) -> dict[str, bytes]:
    """Return everything that the service can answer, by path below `/latest/`."""
    found = {
        "meta-data/ami-id": facts.image_id,
        "meta-data/ami-launch-index": str(facts.launch_index),
        "meta-data/instance-id": facts.instance_id,
        "meta-data/instance-type": facts.instance_type,
        "meta-data/local-ipv4": facts.private_ip,
        "meta-data/placement/availability-zone": facts.availability_zone,
        "meta-data/placement/region": facts.region,
        "dynamic/instance-identity/document": _document(facts),
    }
    if facts.tags_in_metadata:
        found["meta-data/tags/instance"] = "\n".join(facts.tags)
        found |= {f"meta-data/tags/instance/{key}": value for key, value in facts.tags.items()}
    if facts.role is not None:
        found["meta-data/iam/info"] = json.dumps({"InstanceProfileArn": facts.profile_arn})
        found["meta-data/iam/security-credentials"] = facts.role
        found[f"meta-data/iam/security-credentials/{facts.role}"] = _credentials(access_key, now)
    answers = {path: value.encode() for path, value in found.items()}
    if facts.user_data:
        answers["user-data"] = facts.user_data
    return answers


def _document(facts: InstanceFacts) -> str:
    return json.dumps(
        {
            "accountId": facts.account_id,
            "architecture": facts.architecture,
            "availabilityZone": facts.availability_zone,
            "imageId": facts.image_id,
            "instanceId": facts.instance_id,
            "instanceType": facts.instance_type,
            "privateIp": facts.private_ip,
            "region": facts.region,
            "version": "2017-09-30",
        }
    )


def _credentials(access_key: str, now: float) -> str:
    moment = "%Y-%m-%dT%H:%M:%SZ"
    return json.dumps(
        {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "AccessKeyId": access_key,
            "SecretAccessKey": "local",
            "Token": "local",
            "LastUpdated": time.strftime(moment, time.gmtime(now)),
            "Expiration": time.strftime(moment, time.gmtime(now + CREDENTIAL_SECONDS)),
        }
    )
