from __future__ import annotations

import os
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from gridwell.adapters.aws.client import READ_SECONDS, client, translated
from gridwell.adapters.system_clock import SystemClock
from gridwell.engine.errors import NoCapacity, ServiceBusy, ServiceDenied, Throttled

if TYPE_CHECKING:
    from gridwell.engine.errors import ServiceError


def reply(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": "words"},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "r",
                "HostId": "h",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "SomeCall",
    )


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (reply("ThrottlingException"), Throttled),
        (reply("ProvisionedThroughputExceededException"), Throttled),
        (reply("RequestLimitExceeded", 503), Throttled),
        (reply("SlowDown", 503), Throttled),
        (reply("InternalError", 500), ServiceBusy),
        (reply("anything", 429), Throttled),
        (reply("RequestTimeout", 400), ServiceBusy),
        (EndpointConnectionError(endpoint_url="u"), ServiceBusy),
        (ConnectTimeoutError(endpoint_url="u"), ServiceBusy),
        (ReadTimeoutError(endpoint_url="u"), ServiceBusy),
        (ResponseParserError("moto's page of a 500"), ServiceBusy),
        (reply("AccessDeniedException"), ServiceDenied),
        (reply("UnauthorizedOperation", 403), ServiceDenied),
        (reply("UnrecognizedClientException"), ServiceDenied),
        (reply("ExpiredToken"), ServiceDenied),
        (reply("AWS.SimpleQueueService.NonExistentQueue"), ServiceDenied),
        (reply("ResourceNotFoundException"), ServiceDenied),
        (reply("NoSuchBucket", 404), ServiceDenied),
        (reply("ValidationException"), ServiceDenied),
        (NoCredentialsError(), ServiceDenied),
    ],
    ids=repr,
)
def test_each_error_of_aws_is_one_of_ours(error: Exception, ours: type[ServiceError]) -> None:
    with pytest.raises(ours, match=r"^the queue q") as raised, translated("the queue q"):
        raise error

    assert type(raised.value) is ours
    assert raised.value.__cause__ is error


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AccessDenied", "allow the action in the role's policy"),
        ("SignatureDoesNotMatch", "renew the credentials"),
        ("QueueDoesNotExist", "create the stack"),
        ("InvalidLaunchTemplateName.NotFoundException", "create the stack"),
        ("ValidationException", "will be refused again"),
    ],
)
def test_a_denial_says_what_to_do(code: str, remedy: str) -> None:
    expected = f"the queue q.*{code}.*words.*{remedy}"

    with pytest.raises(ServiceDenied, match=expected), translated("the queue q"):
        raise reply(code)


def test_a_call_s_own_codes_come_first() -> None:
    with pytest.raises(NoCapacity), translated("EC2", {"Unsupported": NoCapacity}):
        raise reply("Unsupported", 500)


def test_our_own_mistakes_are_not_dressed_up() -> None:
    with pytest.raises(ParamValidationError), translated("q"):
        raise ParamValidationError(report="wrong")


def test_a_client_waits_longer_than_the_longest_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    made = client("sqs")

    assert made.meta.config.read_timeout == READ_SECONDS > 20
    assert made.meta.config.connect_timeout == 3
    assert made.meta.config.retries == {"mode": "standard", "total_max_attempts": 4}


def test_a_client_without_a_region_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    with pytest.raises(ServiceDenied, match=r"AWS service sqs cannot be asked.*AWS_DEFAULT_REGION"):
        client("sqs")


def test_the_system_s_clock_runs() -> None:
    clock = SystemClock()
    before, monotonic = clock.now(), clock.monotonic()

    clock.sleep(0.01)

    assert clock.now() > before > 1_700_000_000
    assert clock.monotonic() >= monotonic + 0.01
