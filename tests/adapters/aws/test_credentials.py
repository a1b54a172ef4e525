"""Clients that are made while the metadata service fails have credentials once it answers."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import MetadataRetrievalError, NoCredentialsError

from gridwell.adapters.aws.client import client
from gridwell.adapters.aws.credentials import LateCredentials, MetadataFetcher, PatientSession
from gridwell.adapters.aws.sqs import SqsQueue
from gridwell.engine.errors import ServiceBusy, ServiceDenied
from tests.adapters.aws.imds import Imds, imds

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Imds]:
    """A metadata service, the only source of credentials of this process."""
    for name in (*_KEYS, "AWS_EC2_METADATA_DISABLED", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setattr("gridwell.adapters.aws.credentials.AGAIN_SECONDS", 0.0)
    with imds() as server:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"{server.endpoint}/")
        yield server


class _Raw:
    def stream(self, **_: Any) -> Any:
        counts = {f"ApproximateNumberOfMessages{kind}": "3" for kind in ("", "NotVisible")}
        yield json.dumps({"Attributes": counts, "QueueUrl": "https://q"}).encode()


def answering(made: Any) -> list[str]:
    """Let a client's calls be answered here; the list gets the key that signed each."""
    signed: list[str] = []

    def answer(request: Any, **_: Any) -> Any:
        signed.append(request.headers["Authorization"].decode().partition("Credential=")[2][:8])
        return AWSResponse("https://q", 200, HTTPHeaders(), _Raw())

    made.meta.events.register("before-send", answer)
    return signed


@pytest.mark.parametrize(
    ("trouble", "why"),
    [("503", "answered 503"), ("500", "answered 500"), ("hangs", "did not answer within 1 s")],
)
def test_a_client_made_while_the_metadata_service_fails_recovers_without_a_restart(
    service: Imds, trouble: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gridwell")
    service.trouble = trouble
    made = client("sqs")
    queue = SqsQueue(made, "chunks")
    signed = answering(made)

    for _ in range(2):
        with pytest.raises(ServiceBusy, match=why) as failure:
            queue.depth()
    service.trouble = ""

    assert queue.depth().visible == 3
    assert set(signed) == {"AKIAIMDS"}
    assert service.endpoint in str(failure.value)
    actions = [getattr(record, "action", "") for record in caplog.records]
    assert actions == ["credentials.missing", "credentials.found"]
    assert why in caplog.records[0].getMessage()


@pytest.mark.system
def test_a_metadata_service_that_is_not_up_yet_is_waited_for(
    service: Imds, monkeypatch: pytest.MonkeyPatch
) -> None:
    with imds() as gone:
        port = gone.server_port
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{port}/")
    made = client("sqs")
    queue = SqsQueue(made, "chunks")
    answering(made)

    with pytest.raises(ServiceBusy, match="refused"):
        queue.depth()
    with imds(port):
        assert queue.depth().visible == 3


def test_every_client_of_a_process_recovers(service: Imds) -> None:
    service.trouble = "503"
    clients = [client(name) for name in ("sqs", "sqs", "sqs")]
    signed = [answering(made) for made in clients]
    for made in clients:
        with pytest.raises(ServiceBusy):
            SqsQueue(made, "chunks").depth()
    service.trouble = ""

    for made in clients:
        SqsQueue(made, "chunks").depth()

    assert all("AKIAIMDS" in keys for keys in signed)


def test_making_a_client_waits_for_no_credentials(service: Imds) -> None:
    service.trouble = "hangs"

    client("sqs")

    assert service.requests == 0


def test_a_request_that_fails_once_is_asked_again_at_once(service: Imds) -> None:
    service.answers[""] = ""  # the role is not there at first
    made = client("sqs")
    answering(made)
    answers = iter(["", "a-role"])
    service.answers = _Late(service.answers, answers)

    assert SqsQueue(made, "chunks").depth().visible == 3


class _Late(dict[str, str]):
    """Answers whose role comes late."""

    def __init__(self, answers: dict[str, str], roles: Iterator[str]) -> None:
        super().__init__(answers)
        self._roles = roles

    def get(self, key: str, default: Any = None) -> Any:
        return next(self._roles, "a-role") if key == "" else super().get(key, default)


def test_a_machine_without_a_role_says_so(service: Imds) -> None:
    service.answers = {}
    made = client("sqs")

    with pytest.raises(ServiceBusy, match="give the instance a role"):
        SqsQueue(made, "chunks").depth()


def test_without_any_source_the_calls_are_denied(
    service: Imds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(ServiceDenied, match="run on an instance with a role"):
        SqsQueue(client("sqs"), "chunks").depth()
    assert service.requests == 0


def test_keys_of_the_environment_come_first(service: Imds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENVI")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    made = client("sqs")
    signed = answering(made)

    SqsQueue(made, "chunks").depth()

    assert set(signed) == {"AKIAENVI"}
    assert service.requests == 0


def test_credentials_that_still_hold_are_kept_while_they_cannot_be_renewed(service: Imds) -> None:
    fetcher = MetadataFetcher.of(PatientSession())
    service.trouble = "503"
    soon = RefreshableCredentials.create_from_metadata(
        {
            "access_key": "AKIAOLD",
            "secret_key": "x",
            "token": "t",
            "expiry_time": "2099-01-01T00:00:00Z",
        },
        refresh_using=fetcher.retrieve_iam_role_credentials,
        method="iam-role",
        advisory_timeout=10**10,  # it is time to renew them early
    )

    assert soon.get_frozen_credentials().access_key == "AKIAOLD"
    assert service.requests > 0


def test_a_metadata_service_that_failed_is_left_alone_for_a_moment(
    service: Imds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridwell.adapters.aws.credentials.AGAIN_SECONDS", 2.0)
    now = [0.0]
    fetcher = MetadataFetcher(
        timeout=1,
        config={"ec2_metadata_service_endpoint": f"{service.endpoint}/"},
        monotonic=lambda: now[0],
    )
    service.trouble = "503"
    asked = []
    for _ in range(3):
        with pytest.raises(MetadataRetrievalError, match="answered 503"):
            fetcher.retrieve_iam_role_credentials()
        asked.append(service.requests)
    service.trouble = ""
    now[0] = 2.0

    assert asked[0] == asked[2] > 0
    assert fetcher.retrieve_iam_role_credentials()["access_key"] == "AKIAIMDS"


def test_threads_that_come_while_a_failed_look_is_repeated_do_not_wait_for_it() -> None:
    looking, release = threading.Event(), threading.Event()
    looks = []

    def look() -> Credentials:
        looks.append(threading.get_ident())
        if len(looks) == 1:
            raise NoCredentialsError
        looking.set()
        release.wait()
        return Credentials("key", "secret")

    late = LateCredentials(look)
    with pytest.raises(NoCredentialsError):
        late.get_frozen_credentials()
    slow = threading.Thread(target=late.get_frozen_credentials)
    slow.start()
    looking.wait()

    with pytest.raises(NoCredentialsError):
        late.get_frozen_credentials()
    release.set()
    slow.join()

    assert late.get_frozen_credentials().access_key == "key"
    assert late.get_deferred_property("access_key")() == "key"
    assert len(looks) == 2
