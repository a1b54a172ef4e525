"""Faults that any call can meet, as boto3 sees them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from gridwell.local_stack.faults.kinds import KINDS
from gridwell.local_stack.faults.plan import NOTHING
from gridwell.local_stack.faults.presets import PRESETS
from tests.harness.local_region import Bench, error_of
from tests.harness.waiting import await_true

CALLS: dict[str, Any] = {
    "ec2": lambda bench: bench.ec2.describe_instances(),
    "sqs": lambda bench: bench.send("a"),
    "dynamodb": lambda bench: bench.has_item("none"),
    "s3": lambda bench: bench.s3.put_object(Bucket="bucket", Key="a", Body=b"a"),
    "cloudformation": lambda bench: bench.region.client("cloudformation").describe_stacks(),
    "ssm": lambda bench: bench.region.client("ssm").describe_parameters(),
}


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("ec2", ("RequestLimitExceeded", 503)),
        ("sqs", ("RequestThrottled", 400)),
        ("dynamodb", ("ProvisionedThroughputExceededException", 400)),
        ("s3", ("SlowDown", 503)),
        ("cloudformation", ("Throttling", 400)),
        ("ssm", ("ThrottlingException", 400)),
    ],
)
def test_a_throttled_call_gets_its_services_own_word(
    bench: Bench, service: str, expected: tuple[str, int]
) -> None:
    bench.plan("throttled", service=service)

    with pytest.raises(ClientError) as caught:
        CALLS[service](bench)

    assert error_of(caught) == expected
    CALLS[service](bench)
    assert bench.remote.injected() == {"throttled": 1}


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("ec2", ("UnauthorizedOperation", 403)),
        ("sqs", ("AccessDenied", 403)),
        ("dynamodb", ("AccessDeniedException", 400)),
        ("s3", ("AccessDenied", 403)),
    ],
)
def test_a_denied_call_gets_its_services_own_word(
    bench: Bench, service: str, expected: tuple[str, int]
) -> None:
    bench.plan("access denied", service=service)

    with pytest.raises(ClientError) as caught:
        CALLS[service](bench)

    assert error_of(caught) == expected
    CALLS[service](bench)
    assert bench.remote.injected() == {"access denied": 1}


def test_one_object_is_denied_by_its_key_and_no_other(bench: Bench) -> None:
    for key in ("problems/a.npz", "problems/b.npz"):
        bench.s3.put_object(Bucket="bucket", Key=key, Body=b"a")
    bench.plan("access denied", service="s3", resource="problems/a.npz", probability=1)

    for _ in range(3):
        with pytest.raises(ClientError, match="AccessDenied"):
            bench.s3.get_object(Bucket="bucket", Key="problems/a.npz")
        bench.s3.get_object(Bucket="bucket", Key="problems/b.npz")["Body"].close()


@pytest.mark.parametrize("service", ["ec2", "sqs", "dynamodb", "s3"])
@pytest.mark.parametrize("kind", ["throttled", "server error", "request lost", "reply lost"])
def test_boto3_tries_again_by_itself(bench: Bench, service: str, kind: str) -> None:
    bench.plan(kind, service=service)
    client = bench.patient(service)

    if service == "ec2":
        client.describe_instances()
    elif service == "sqs":
        client.get_queue_attributes(QueueUrl=bench.url)
    elif service == "dynamodb":
        client.describe_table(TableName="ledger")
    else:
        client.list_objects_v2(Bucket="bucket")

    assert bench.remote.injected() == {kind: 1}


@pytest.mark.parametrize("service", ["ec2", "sqs", "dynamodb", "s3", "cloudformation", "ssm"])
def test_a_server_error_is_a_5xx_of_the_service(bench: Bench, service: str) -> None:
    bench.plan("server error", service=service, probability=1)

    seen = set()
    for _ in range(12):
        with pytest.raises(ClientError) as caught:
            CALLS[service](bench)
        seen.add(error_of(caught)[1])

    assert seen == {500, 503}


def test_a_head_request_is_throttled_without_a_body(bench: Bench) -> None:
    bench.s3.put_object(Bucket="bucket", Key="head", Body=b"x")
    bench.plan("throttled", service="s3", operation="HeadObject")

    with pytest.raises(ClientError) as caught:
        bench.s3.head_object(Bucket="bucket", Key="head")

    assert error_of(caught)[1] == 503
    assert bench.s3.head_object(Bucket="bucket", Key="head")["ContentLength"] == 1


def test_a_lost_request_has_no_effect_and_a_lost_reply_has_one(bench: Bench) -> None:
    for kind, effect in (("request lost", False), ("reply lost", True)):
        bench.plan(kind, service="dynamodb", operation="PutItem", resource="ledger")
        with pytest.raises(ConnectionClosedError):
            bench.put_item(kind)
        assert bench.has_item(kind) is effect


def test_a_put_that_is_tried_again_after_a_lost_reply_meets_itself(bench: Bench) -> None:
    bench.plan("reply lost", service="dynamodb", operation="PutItem")

    with pytest.raises(ClientError) as caught:
        bench.put_item("once", bench.patient("dynamodb"))

    assert error_of(caught)[0] == "ConditionalCheckFailedException"


def test_a_late_reply_takes_its_seconds(bench: Bench) -> None:
    bench.plan("reply late", service="sqs", seconds=0.3)
    began = time.monotonic()

    bench.send("a")

    assert time.monotonic() - began >= 0.3
    assert bench.depth() == 1


def test_an_index_shows_what_was_there_before(bench: Bench) -> None:
    def found() -> int:
        reply = bench.ddb.query(
            TableName="ledger",
            IndexName="unfinished",
            KeyConditionExpression="unfinished = :u",
            ExpressionAttributeValues={":u": {"S": "0"}},
        )
        return int(reply["Count"])

    bench.plan("index late", seconds=60)
    before = found()
    bench.put_item("indexed")

    assert [found(), found()] == [before, before + 1]


def test_a_key_of_a_batch_get_stays_unprocessed(bench: Bench) -> None:
    for key in ("x", "y"):
        bench.put_item(key)
    request = {"ledger": {"Keys": [{"pk": {"S": "x"}}, {"pk": {"S": "y"}}]}}
    bench.plan("keys unprocessed", nth=2)

    reply = bench.ddb.batch_get_item(RequestItems=request)

    assert [item["pk"]["S"] for item in reply["Responses"]["ledger"]] == ["x"]
    assert reply["UnprocessedKeys"]["ledger"]["Keys"] == [{"pk": {"S": "y"}}]
    left = bench.ddb.batch_get_item(RequestItems=reply["UnprocessedKeys"])
    assert [item["pk"]["S"] for item in left["Responses"]["ledger"]] == ["y"]
    bench.plan("keys unprocessed", probability=1)
    nothing = bench.ddb.batch_get_item(RequestItems=request)
    assert len(nothing["UnprocessedKeys"]["ledger"]["Keys"]) == 2


def test_nothing_happens_while_nothing_is_planned(bench: Bench) -> None:
    bench.remote.put(NOTHING)
    bodies = [str(n) for n in range(10)]

    bench.send(*bodies)
    messages = bench.receive()
    bench.delete(messages)

    assert [m["Body"] for m in messages] == bodies
    assert bench.depth() == 0
    assert bench.remote.injected() == {}


def busy_day(bench: Bench) -> None:
    """One round of the calls that the tiers make; their errors are expected."""
    calls = (
        lambda: bench.send(*"abcdefghij"),
        lambda: bench.delete(bench.receive()),
        lambda: bench.receive(wait=0),
        bench.depth,
        lambda: bench.ddb.batch_get_item(
            RequestItems={"ledger": {"Keys": [{"pk": {"S": str(n)}} for n in range(10)]}}
        ),
        lambda: bench.ddb.query(
            TableName="ledger",
            IndexName="unfinished",
            KeyConditionExpression="unfinished = :u",
            ExpressionAttributeValues={":u": {"S": "1"}},
        ),
        bench.ec2.describe_instances,
        lambda: bench.ec2.start_instances(InstanceIds=["i-00000000000000000"]),
    )
    for call in calls:
        try:
            call()
        except (ClientError, ConnectionClosedError):
            continue


def test_every_kind_of_the_mild_plan_happens_on_a_busy_day(bench: Bench) -> None:
    bench.remote.put(PRESETS["mild"])
    kinds = {fault.kind for fault in PRESETS["mild"].faults}
    # Starts that really boot cost seconds: their faults have tests of their own.
    kinds -= {"start falls back", "start refused for good", "offer never speaks"}
    kinds -= {"offer refused", "stop refused", "protected"}  # the same: of offers and instances
    kinds -= {"metadata throttled", "metadata hangs"}  # at an instance's own service

    def has_seen_all() -> bool:
        busy_day(bench)
        return kinds <= set(bench.remote.injected())

    await_true(has_seen_all, pause=0.0)

    assert set(bench.remote.injected()) <= set(KINDS)
