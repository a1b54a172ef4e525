import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from gridwell.local_stack.faults.calling_process import Callers
from gridwell.local_stack.faults.injector import Injector
from gridwell.local_stack.faults.metadata import MetadataFaults
from gridwell.local_stack.faults.plan import FaultPlan, PlannedFault
from gridwell.local_stack.machine.metadata import Metadata, MetadataError
from gridwell.local_stack.region.instance_facts import InstanceFacts
from gridwell.local_stack.region.metadata_service import MetadataServer
from tests.harness.users import needs_another_user, run_as_nobody

FACTS = InstanceFacts(
    instance_id="i-0123456789abcdef0",
    image_id="ami-1",
    instance_type="t3.micro",
    architecture="x86_64",
    private_ip="10.0.0.7",
    region="eu-west-1",
    availability_zone="eu-west-1a",
    account_id="123456789012",
    user_data=b"#!/bin/sh\n\xff",
    tags={"gridwell:slot": "07"},
    tags_in_metadata=True,
    role="worker",
    profile_arn="arn:aws:iam::123456789012:instance-profile/worker",
)
TTL = "X-aws-ec2-metadata-token-ttl-seconds"


class Source:
    facts: InstanceFacts | None = FACTS


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def endpoint(source: Source) -> Iterator[str]:
    server = MetadataServer(lambda: source.facts, access_key="the-key")
    yield server.endpoint
    server.close()


def ask(method: str, url: str, **headers: Any) -> requests.Response:
    return requests.request(method, url, headers=headers, timeout=5)


def test_nothing_is_answered_without_a_token(endpoint: str) -> None:
    assert ask("GET", f"{endpoint}/latest/meta-data/instance-id").status_code == 401


def test_a_made_up_token_is_refused(endpoint: str) -> None:
    url = f"{endpoint}/latest/meta-data/instance-id"

    assert ask("GET", url, **{"X-aws-ec2-metadata-token": "x"}).status_code == 401


@pytest.mark.parametrize("headers", [{}, {TTL: "0"}, {TTL: "21601"}, {TTL: "soon"}])
def test_a_token_needs_a_lifetime(endpoint: str, headers: dict[str, str]) -> None:
    assert ask("PUT", f"{endpoint}/latest/api/token", **headers).status_code == 400


def test_a_forwarded_request_gets_no_token(endpoint: str) -> None:
    headers = {TTL: "60", "X-Forwarded-For": "203.0.113.7"}

    assert ask("PUT", f"{endpoint}/latest/api/token", **headers).status_code == 403


@pytest.mark.parametrize(
    "header",
    [
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Host": "evil.example"},
        {"Host": "[::1].evil.example"},
    ],
)
def test_a_page_gets_no_token(endpoint: str, header: dict[str, str]) -> None:
    answer = ask("PUT", f"{endpoint}/latest/api/token", **{TTL: "60"}, **header)

    assert answer.status_code == 403


ASKS = """
import sys, urllib.error, urllib.request
url, ttl = sys.argv[1:]
request = urllib.request.Request(url, method="PUT", headers={ttl: "60"})
try:
    print(urllib.request.urlopen(request, timeout=5).status)
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""


@needs_another_user
def test_another_user_gets_no_token(endpoint: str) -> None:
    done = run_as_nobody(ASKS, f"{endpoint}/latest/api/token", TTL)

    assert done.stdout.startswith("403 only processes of the user who runs the region may ask")


@needs_another_user
def test_a_token_that_another_user_has_found_is_worth_nothing(endpoint: str) -> None:
    token = ask("PUT", f"{endpoint}/latest/api/token", **{TTL: "60"}).text
    program = ASKS.replace('method="PUT", headers={ttl: "60"}', "headers={ttl: sys.argv[3]}")
    program = program.replace("sys.argv[1:]", "sys.argv[1:3]")

    header = "X-aws-ec2-metadata-token"
    done = run_as_nobody(program, f"{endpoint}/latest/user-data", header, token)

    assert done.stdout.startswith("403")


def test_a_machine_learns_what_it_is(endpoint: str) -> None:
    metadata = Metadata(endpoint)

    document = json.loads(metadata.get("dynamic/instance-identity/document") or b"")
    assert metadata.get("meta-data/instance-id") == b"i-0123456789abcdef0"
    assert metadata.get("meta-data/ami-id") == b"ami-1"
    assert metadata.get("meta-data/instance-type") == b"t3.micro"
    assert metadata.get("meta-data/local-ipv4") == b"10.0.0.7"
    assert metadata.get("meta-data/placement/region") == b"eu-west-1"
    assert metadata.get("meta-data/placement/availability-zone") == b"eu-west-1a"
    assert metadata.get("meta-data/tags/instance/gridwell:slot") == b"07"
    assert metadata.get("user-data") == b"#!/bin/sh\n\xff"
    assert document["accountId"] == "123456789012"
    assert document["region"] == "eu-west-1"
    assert document["instanceId"] == "i-0123456789abcdef0"
    assert document["imageId"] == "ami-1"
    assert document["architecture"] == "x86_64"


def test_the_role_has_credentials(endpoint: str) -> None:
    metadata = Metadata(endpoint)

    assert metadata.get("meta-data/iam/security-credentials/") == b"worker"
    keys = json.loads(metadata.get("meta-data/iam/security-credentials/worker") or b"")
    assert keys["Code"] == "Success"
    assert keys["AccessKeyId"] == "the-key"
    assert keys["Expiration"] > keys["LastUpdated"]


def test_what_the_options_hide_is_not_there(endpoint: str, source: Source) -> None:
    source.facts = InstanceFacts(
        instance_id="i-1",
        image_id="ami-1",
        instance_type="t3.micro",
        architecture="x86_64",
        private_ip="10.0.0.7",
        region="eu-west-1",
        availability_zone="eu-west-1a",
        account_id="123456789012",
        tags={"gridwell:slot": "07"},
    )
    metadata = Metadata(endpoint)

    assert metadata.get("meta-data/tags/instance/gridwell:slot") is None
    assert metadata.get("meta-data/iam/security-credentials/") is None
    assert metadata.get("user-data") is None
    assert metadata.get("meta-data/instance-id") == b"i-1"


def planned(*faults: PlannedFault) -> MetadataFaults:
    injector = Injector()
    injector.put(FaultPlan(seed=1, faults=faults))
    return MetadataFaults(injector, Callers(Path("/nobody's")))


def test_a_throttled_service_answers_503_and_recovers() -> None:
    faults = planned(PlannedFault(kind="metadata throttled", operation="GetToken", nth=1, times=2))
    server = MetadataServer(lambda: FACTS, faults=faults)
    try:
        url = f"{server.endpoint}/latest/api/token"
        statuses = [ask("PUT", url, **{TTL: "60"}).status_code for _ in range(3)]
    finally:
        server.close()

    assert statuses == [503, 503, 200]
    assert faults.injector.injected == {"metadata throttled": 2}


def test_a_service_that_hangs_closes_the_connection_in_the_end() -> None:
    faults = planned(PlannedFault(kind="metadata hangs", nth=1, times=1, seconds=(0.05, 0.05)))
    server = MetadataServer(lambda: FACTS, faults=faults)
    try:
        with pytest.raises(requests.ConnectionError):
            ask("PUT", f"{server.endpoint}/latest/api/token", **{TTL: "60"})
        assert ask("PUT", f"{server.endpoint}/latest/api/token", **{TTL: "60"}).ok
    finally:
        server.close()


def test_a_booting_machine_waits_for_its_metadata_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gridwell.local_stack.machine.metadata.PAUSE_SECONDS", 0.01)
    faults = planned(
        PlannedFault(kind="metadata throttled", nth=1, times=3, seconds=(0.0, 0.0)),
        PlannedFault(kind="metadata hangs", nth=3, times=2, seconds=(0.0, 0.0)),
    )
    server = MetadataServer(lambda: FACTS, faults=faults)
    try:
        found = Metadata(server.endpoint).get("meta-data/instance-id")
    finally:
        server.close()

    assert found == FACTS.instance_id.encode()
    assert faults.injector.injected == {"metadata throttled": 3, "metadata hangs": 2}


def test_a_machine_whose_metadata_service_never_answers_gives_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PAUSE_SECONDS", "PATIENCE_SECONDS"):
        monkeypatch.setattr(f"gridwell.local_stack.machine.metadata.{name}", 0.01)
    faults = planned(PlannedFault(kind="metadata throttled", probability=1.0, seconds=(0.0, 0.0)))
    server = MetadataServer(lambda: FACTS, faults=faults)
    try:
        with pytest.raises(MetadataError, match="gave no token: HTTP 503"):
            Metadata(server.endpoint)
    finally:
        server.close()
