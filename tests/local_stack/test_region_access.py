"""Who may call a region: programs with its access key, by every way that AWS's clients have."""

from __future__ import annotations

import http.client
import json
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from gridwell.adapters.aws.client import translated
from gridwell.engine.errors import ServiceDenied
from tests.harness.waiting import DEADLINE

if TYPE_CHECKING:
    from tests.local_stack.conftest import Region

REMEDY = 'eval "$(gridwell local env)"'
PATHS = [
    "/",
    "/moto-api/reset",
    "/moto-api/data.json",
    "/favicon.ico",
    "/latest/meta-data/",
    "/_gridwell/kill",
    "/_gridwell/faults",
    "/s3_us-east-1/x",
    "//",
]
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("ec2", "describe_instances", {}),
    ("sqs", "list_queues", {}),
    ("dynamodb", "list_tables", {}),
    ("s3", "list_buckets", {}),
    ("cloudformation", "list_stacks", {}),
    ("sns", "list_topics", {}),
    ("iam", "list_roles", {}),
]


def client(region: Region, service: str, *, key: str = "", **options: Any) -> Any:
    """A client whose key is another one, or none."""
    credentials = {"aws_access_key_id": key, "aws_secret_access_key": "x"} if key else {}
    return boto3.client(  # type: ignore[call-overload]
        service, endpoint_url=region.endpoint, region_name="us-east-1", **credentials, **options
    )


def ask(
    region: Region, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, bytes, http.client.HTTPMessage]:
    host = region.endpoint.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=DEADLINE)
    connection.request(method, path, body, headers)
    reply = connection.getresponse()
    found = reply.status, reply.read(), reply.headers
    connection.close()
    return found


def send(region: Region, request: bytes) -> bytes:
    """All bytes that come back for some bytes."""
    host, port = region.endpoint.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as link:
        link.sendall(request)
        link.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: link.recv(65536), b""))


@pytest.mark.parametrize(("service", "call", "arguments"), CALLS)
def test_a_client_with_the_key_is_served(
    region: Region, service: str, call: str, arguments: dict[str, Any]
) -> None:
    getattr(region.client(service), call)(**arguments)


@pytest.mark.parametrize(("service", "call", "arguments"), CALLS)
@pytest.mark.parametrize("wrong", ["local", "test", "ASIA0123456789ABCDEF"])
def test_a_client_with_another_key_is_denied_and_told_the_remedy(
    region: Region, service: str, call: str, arguments: dict[str, Any], wrong: str
) -> None:
    stranger = client(region, service, key=wrong)

    with pytest.raises(ClientError) as caught:
        getattr(stranger, call)(**arguments)

    error = caught.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert error["Error"]["Code"] == "InvalidClientTokenId"
    assert REMEDY in error["Error"]["Message"]


@pytest.mark.parametrize(("service", "call", "arguments"), CALLS)
def test_an_unsigned_client_is_denied(
    region: Region, service: str, call: str, arguments: dict[str, Any]
) -> None:
    anonymous = client(region, service, config=Config(signature_version=UNSIGNED))

    with pytest.raises(ClientError) as caught:
        getattr(anonymous, call)(**arguments)

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_programs_error_names_the_remedy(region: Region) -> None:
    stranger = client(region, "sqs", key="x")

    with pytest.raises(ServiceDenied, match="gridwell local env"), translated("the queue q"):
        stranger.list_queues()


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_address_needs_the_key(region: Region, version: str) -> None:
    region.client("s3").create_bucket(Bucket="presigned")
    region.client("s3").put_object(Bucket="presigned", Key="k", Body=b"content")

    def got(access_key: str) -> tuple[int, bytes]:
        config = Config(signature_version=version)
        signer = client(region, "s3", key=access_key, config=config)
        address = signer.generate_presigned_url(
            "get_object", Params={"Bucket": "presigned", "Key": "k"}
        )
        status, content, _ = ask(region, "GET", address.removeprefix(region.endpoint), {})
        return status, content

    assert got(region.access_key) == (200, b"content")
    assert got("local")[0] == 403


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", PATHS)
def test_no_path_is_served_without_the_key(region: Region, method: str, path: str) -> None:
    buckets = region.client("s3").list_buckets()["Buckets"]

    status, _, headers = ask(region, method, path, {}, b"x=1")

    assert status == 403
    assert [name for name in headers if name.lower().startswith("access-control-")] == []
    assert region.client("s3").list_buckets()["Buckets"] == buckets


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "header",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Dest": "image"},
        {"Host": "evil.example"},
        {"Host": "[::1].evil.example"},
        {"Host": "127.0.0.1:evil"},
    ],
)
def test_a_page_is_refused_at_every_path_even_with_the_key(
    region: Region, path: str, header: dict[str, str]
) -> None:
    key = {"Authorization": region.credential("s3")}

    for method in ("GET", "POST", "OPTIONS"):
        status, _, headers = ask(region, method, path, key | header)

        assert status == 403
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("/", ""),
        ("http://evil.example/", "Host: 127.0.0.1\r\n"),
        ("http://127.0.0.1/", "Host: evil.example\r\n"),
        ("http://[::1].evil.example/", "Host: 127.0.0.1\r\n"),
        ("/", "Host: 127.0.0.1\r\nHost: evil.example\r\n"),
        ("evil.example:80", "Host: 127.0.0.1\r\n"),
    ],
)
def test_a_request_for_another_host_is_refused_whatever_its_form(
    region: Region, target: str, host: str
) -> None:
    key = f"Authorization: {region.credential('s3')}\r\n"

    reply = send(region, f"GET {target} HTTP/1.1\r\n{host}{key}\r\n".encode())

    assert reply.split()[1] in (b"400", b"403")


def test_a_refused_body_is_never_invited(region: Region) -> None:
    head = b"PUT /b/k HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999\r\n"

    reply = send(region, head + b"Expect: 100-continue\r\n\r\n")

    assert reply.startswith(b"HTTP/1.1 403")


def test_a_refused_connection_serves_nothing_more(region: Region) -> None:
    refused = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    key = f"Authorization: {region.credential('s3')}\r\n".encode()
    good = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + key + b"\r\n"

    reply = send(region, refused + good)

    assert reply.count(b"HTTP/1.1 ") == 1


def test_a_refusal_is_in_the_form_that_its_caller_reads(region: Region) -> None:
    assert "error" in json.loads(ask(region, "GET", "/_gridwell/faults", {})[1])
    target = {"X-Amz-Target": "AmazonSQS.ListQueues"}
    assert "__type" in json.loads(ask(region, "POST", "/", target)[1])


def test_an_instance_gets_credentials_that_the_region_takes(region: Region, launched: Any) -> None:
    script = (
        f"#!/bin/sh\n{sys.executable} -c 'import boto3;"
        ' print(boto3.client("sqs").list_queues()["ResponseMetadata"]["HTTPStatusCode"])\'\n'
        "echo ended $?\n"
    )
    profile = region.client("iam")
    profile.create_role(RoleName="caller", AssumeRolePolicyDocument="{}")
    profile.create_instance_profile(InstanceProfileName="caller")
    profile.add_role_to_instance_profile(InstanceProfileName="caller", RoleName="caller")

    instance = launched(UserData=script, IamInstanceProfile={"Name": "caller"})

    assert "\n200\n" in region.await_console(instance, "ended 0")


def test_the_key_is_on_no_command_line_and_in_no_file_of_the_region(region: Region) -> None:
    key = region.access_key.encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            assert key not in (process / "cmdline").read_bytes()
        except OSError:
            continue
    for file in region.state.rglob("*"):
        if file.is_file():
            assert key not in file.read_bytes(), file
