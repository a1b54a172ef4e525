"""Each kind of fault, as boto3 sees it, on a region of its own."""

from __future__ import annotations

import hashlib
import http.client
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from gridwell.domain.errors import ServiceError
from gridwell.local_stack.faults.callers import MARK
from gridwell.local_stack.faults.control import PATH
from gridwell.local_stack.faults.kinds import KINDS
from gridwell.local_stack.faults.plan import NOTHING
from gridwell.local_stack.faults.plan_json import decode
from gridwell.local_stack.faults.presets import PRESETS
from gridwell.local_stack.faults.remote import RemoteFaults
from tests.local_stack.conftest import ROOT, Region, make_images, running_region

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    state = tmp_path_factory.mktemp("faulty")
    make_images(state)
    with running_region(state, "--faults", "--max-running", "50") as region:
        region.client("dynamodb").create_table(
            TableName="ledger",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "unfinished")
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "unfinished",
                    "KeySchema": [{"AttributeName": "unfinished", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        region.client("s3").create_bucket(Bucket="bucket")
        yield region


@cache
def patient(endpoint: str, service: str) -> Any:
    """A client that tries again, as those of the tiers do."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - moto takes any
        config=Config(retries={"mode": "standard", "total_max_attempts": 3}),
    )


class Bench:
    """A region, a fresh queue in it, and a way to plan faults."""

    def __init__(self, region: Region, queue: str) -> None:
        self.region = region
        self.remote = RemoteFaults(region.endpoint)
        self.queue = queue
        self.sqs = region.client("sqs")
        self.ddb = region.client("dynamodb")
        self.s3 = region.client("s3")
        self.ec2 = region.ec2
        self.url = self.sqs.create_queue(QueueName=queue)["QueueUrl"]

    def plan(self, kind: str, **where: Any) -> None:
        fault = {"kind": kind, **({"nth": 1} if "probability" not in where else {}), **where}
        self.remote.put(decode(json.dumps({"seed": 1, "faults": [fault]})))

    def patient(self, service: str) -> Any:
        return patient(self.region.endpoint, service)

    def send(self, *bodies: str) -> Any:
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
        return self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)

    def receive(self, wait: int = 1) -> list[Any]:
        reply = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=wait
        )
        return list(reply.get("Messages", []))

    def delete(self, messages: list[Any]) -> Any:
        entries = [
            {"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)
        ]
        return self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)

    def depth(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        reply = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return sum(int(reply["Attributes"][name]) for name in names)

    def put_item(self, key: str, client: Any = None) -> None:
        item = {"pk": {"S": key}, "unfinished": {"S": "0"}}
        (client or self.ddb).put_item(
            TableName="ledger", Item=item, ConditionExpression="attribute_not_exists(pk)"
        )

    def has_item(self, key: str) -> bool:
        return "Item" in self.ddb.get_item(TableName="ledger", Key={"pk": {"S": key}})


@pytest.fixture
def bench(faulty: Region, request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = Bench(faulty, "q" + hashlib.sha256(request.node.name.encode()).hexdigest()[:16])
    yield bench
    bench.remote.put(NOTHING)
    bench.remote.away(0)
    bench.sqs.delete_queue(QueueUrl=bench.url)


def error_of(caught: Any) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


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


def test_ec2_has_no_capacity_for_a_launch_or_a_start(bench: Bench) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "RunInstances": bench.region.launch,
        "StartInstances": lambda: bench.ec2.start_instances(InstanceIds=["i-0123456789abcdef0"]),
    }
    for operation, call in calls.items():
        bench.plan("no capacity", operation=operation)
        with pytest.raises(ClientError) as caught:
            call()
        assert error_of(caught) == ("InsufficientInstanceCapacity", 500)
        assert bench.remote.injected() == {"no capacity": 1}
    assert bench.ec2.describe_instances()["Reservations"] == []


def test_a_start_that_falls_back_answers_ok_and_ends_stopped(bench: Bench) -> None:
    instance = bench.region.launch()
    bench.region.await_state(instance, "running")
    bench.ec2.stop_instances(InstanceIds=[instance])
    bench.region.await_state(instance, "stopped")
    bench.plan("start falls back", seconds=0.3)

    reply = bench.ec2.start_instances(InstanceIds=[instance])

    assert reply["StartingInstances"][0]["CurrentState"]["Name"] == "pending"
    assert bench.region.describe(instance)["State"]["Name"] == "pending"
    seen = bench.region.await_state(instance, "stopped")
    assert seen["StateReason"]["Code"] == "Server.InsufficientInstanceCapacity"
    bench.ec2.start_instances(InstanceIds=[instance])
    bench.region.await_state(instance, "running")
    bench.ec2.terminate_instances(InstanceIds=[instance])
    bench.region.await_state(instance, "terminated")


def test_an_instance_that_is_stopped_while_it_falls_back_can_be_started_again(
    bench: Bench,
) -> None:
    instance = bench.region.launch()
    bench.region.await_state(instance, "running")
    bench.ec2.stop_instances(InstanceIds=[instance])
    bench.region.await_state(instance, "stopped")
    bench.plan("start falls back", seconds=0.4)
    bench.ec2.start_instances(InstanceIds=[instance])
    bench.ec2.stop_instances(InstanceIds=[instance])
    bench.region.await_state(instance, "stopped")

    bench.ec2.start_instances(InstanceIds=[instance])

    bench.region.await_state(instance, "running")
    time.sleep(0.5)  # past the moment at which the first start would have fallen back
    assert bench.region.describe(instance)["State"]["Name"] == "running"
    bench.ec2.terminate_instances(InstanceIds=[instance])
    bench.region.await_state(instance, "terminated")


def test_a_boot_that_hangs_is_pending_until_it_fails_or_is_terminated(bench: Bench) -> None:
    bench.plan("boot hangs", seconds=60)
    hung = bench.region.launch()
    bench.plan("boot hangs", seconds=0.2)
    failed, well = bench.region.launch(), bench.region.launch()

    bench.region.await_state(well, "running")

    assert bench.region.describe(hung)["State"]["Name"] == "pending"
    seen = bench.region.await_state(failed, "stopped")
    assert seen["StateReason"]["Code"] == "Server.InternalError"
    bench.ec2.terminate_instances(InstanceIds=[hung, failed, well])
    for instance in (hung, failed, well):
        bench.region.await_state(instance, "terminated")


def test_ec2_shows_its_instances_of_before(bench: Bench) -> None:
    def states() -> list[str]:
        reply = bench.ec2.describe_instances(Filters=[{"Name": "tag:of", "Values": [bench.queue]}])
        return [i["State"]["Name"] for r in reply["Reservations"] for i in r["Instances"]]

    bench.plan("describe late", nth=1, seconds=60)
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "of", "Value": bench.queue}]}]
    assert states() == []  # nothing earlier to show: no fault
    assert bench.remote.injected() == {}
    instance = bench.region.launch(TagSpecifications=tags)

    assert states() == []
    assert states() in (["pending"], ["running"])
    assert bench.remote.injected() == {"describe late": 1}
    bench.ec2.terminate_instances(InstanceIds=[instance])


def test_a_queue_tells_its_counts_of_before(bench: Bench) -> None:
    bench.plan("count late", resource=bench.queue, seconds=60)
    assert bench.depth() == 0
    bench.send("a", "b")

    assert [bench.depth(), bench.depth()] == [0, 2]


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


def test_an_entry_of_each_batch_fails_alone(bench: Bench) -> None:
    bench.plan("batch refused", operation="SendMessageBatch", nth=2)
    sent = bench.send("a", "b", "c")
    messages = sorted(bench.receive(), key=lambda m: str(m["Body"]))

    assert [m["Body"] for m in messages] == ["a", "c"]
    assert {entry["Id"] for entry in sent["Successful"]} == {"0", "2"}
    (failed,) = sent["Failed"]
    assert (failed["Id"], failed["SenderFault"]) == ("1", False)
    assert failed["Code"] == "InternalError"

    bench.plan("batch refused", operation="ChangeMessageVisibilityBatch")
    entries = [
        {"Id": m["Body"], "ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": 0}
        for m in messages
    ]
    changed = bench.sqs.change_message_visibility_batch(QueueUrl=bench.url, Entries=entries)
    assert [entry["Id"] for entry in changed["Failed"]] == ["a"]
    (again,) = bench.receive()
    assert again["Body"] == "c"

    bench.plan("batch refused", operation="DeleteMessageBatch")
    deleted = bench.delete([messages[0], again])
    assert [entry["Id"] for entry in deleted["Failed"]] == ["0"]
    assert bench.depth() == 1


def test_a_batch_of_which_every_entry_fails_is_still_answered_by_200(bench: Bench) -> None:
    bench.plan("batch refused", probability=1)

    reply = bench.send("a", "b")

    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert [entry["Id"] for entry in reply["Failed"]] == ["0", "1"]
    assert bench.depth() == 0
    assert bench.remote.injected() == {"batch refused": 2}


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


def test_a_new_message_turns_visible_later(bench: Bench) -> None:
    bench.plan("delayed", nth=1, times=2, seconds=1)
    bench.sqs.send_message(QueueUrl=bench.url, MessageBody="single")
    bench.send("in a batch")
    bench.send("at once")
    began = time.monotonic()

    assert [m["Body"] for m in bench.receive(wait=0)] == ["at once"]
    later = bench.receive(wait=5)
    while len(later) < 2:
        later += bench.receive(wait=5)
    assert {m["Body"] for m in later} == {"single", "in a batch"}
    assert time.monotonic() - began > 0.5


def test_a_forgotten_delete_answers_ok_and_the_message_stays(bench: Bench) -> None:
    bench.send("a", "b", "c")
    messages = bench.receive()
    bench.plan("delete forgotten", nth=1, times=2)

    reply = bench.delete(messages[:2])
    bench.sqs.delete_message(QueueUrl=bench.url, ReceiptHandle=messages[2]["ReceiptHandle"])

    assert len(reply["Successful"]) == 2
    assert reply.get("Failed", []) == []
    assert bench.depth() == 2


def test_a_message_comes_twice_though_it_was_deleted(bench: Bench) -> None:
    bench.send("a")
    bench.plan("delivered twice", seconds=0.2)

    first = bench.receive()
    bench.delete(first)
    (second,) = bench.receive(wait=5)

    assert second["MessageId"] == first[0]["MessageId"]
    assert second["ReceiptHandle"] != first[0]["ReceiptHandle"]
    bench.delete([second])
    assert bench.depth() == 0


def test_a_queue_gives_its_messages_in_another_order(bench: Bench) -> None:
    bodies = [str(n) for n in range(10)]
    bench.send(*bodies)
    bench.plan("reordered")

    got = [m["Body"] for m in bench.receive()]

    assert sorted(got) == bodies
    assert got != bodies


def test_a_short_poll_is_blind_and_a_long_one_never(bench: Bench) -> None:
    bench.send("a")
    bench.plan("short poll blind", probability=1)

    assert bench.receive(wait=0) == []
    assert len(bench.receive(wait=1)) == 1


def test_fifo_queues_keep_their_promises(bench: Bench) -> None:
    url = bench.sqs.create_queue(
        QueueName="o.fifo",
        Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"},
    )["QueueUrl"]
    bench.plan("reordered", probability=1)
    for body in "abc":
        bench.sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")

    reply = bench.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)

    assert [m["Body"] for m in reply["Messages"]] == ["a", "b", "c"]
    assert bench.remote.injected() == {}


CALLER = """
import os, sys, boto3
client = boto3.client("dynamodb", aws_access_key_id="x", aws_secret_access_key="x")
print("ready", flush=True)
sys.stdin.readline()
client.put_item(TableName="ledger", Item={"pk": {"S": sys.argv[1]}})
print("alive", flush=True)
"""


def call_put_item(bench: Bench, key: str, *, mark: bool) -> tuple[int, str]:
    env = {
        "AWS_ENDPOINT_URL": bench.region.endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": str(ROOT),
        **({MARK: str(bench.region.state)} if mark else {}),
    }
    process = subprocess.run(
        [sys.executable, "-c", CALLER, key],
        input="\n",
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    return process.returncode, process.stdout


@pytest.mark.parametrize(("kind", "effect"), [("crash before", False), ("crash after", True)])
def test_a_program_of_the_stack_dies_before_or_after_its_call(
    bench: Bench, kind: str, *, effect: bool
) -> None:
    bench.plan(kind, service="dynamodb", operation="PutItem")

    assert call_put_item(bench, kind, mark=True) == (-9, "ready\n")

    bench.remote.put(NOTHING)
    assert bench.has_item(kind) is effect


def test_a_stranger_to_the_stack_is_never_killed(bench: Bench) -> None:
    bench.plan("crash before", probability=1)

    assert call_put_item(bench, "stranger", mark=False) == (0, "ready\nalive\n")
    assert bench.remote.injected() == {}


def test_a_program_inside_an_instance_dies_at_its_call(bench: Bench) -> None:
    script = (
        "#!/bin/sh\n"
        "AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x python3 -c '"
        'import boto3; print("calls", flush=True); boto3.client("s3").put_object('
        'Bucket="bucket", Key="from-inside", Body=b"x"); print("survived")\'\n'
        "echo status $?\n"
    )
    bench.plan("crash after", service="s3", operation="PutObject", resource="bucket")

    instance = bench.region.launch(UserData=script)

    console = bench.region.await_console(instance, "status 137")
    assert "survived" not in console
    bench.s3.head_object(Bucket="bucket", Key="from-inside")
    assert bench.region.describe(instance)["State"]["Name"] == "running"
    bench.ec2.terminate_instances(InstanceIds=[instance])
    bench.region.await_state(instance, "terminated")


def test_a_region_that_is_away_serves_its_calls_when_it_is_back(bench: Bench) -> None:
    bench.remote.away(30)
    sender = threading.Thread(target=bench.send, args=("a",))
    began = time.monotonic()
    sender.start()
    sender.join(0.2)
    assert sender.is_alive()
    assert bench.remote.told()["away_seconds"] > 20

    bench.remote.away(0)

    sender.join(5)
    assert time.monotonic() - began < 5
    assert bench.depth() == 1


def test_a_queue_can_be_emptied_and_doubled_while_it_is_used(bench: Bench) -> None:
    bench.send("a", "b")
    (held,) = bench.sqs.receive_message(QueueUrl=bench.url)["Messages"]

    assert bench.remote.duplicate(bench.queue) == 2
    bodies = Counter(m["Body"] for m in bench.receive())
    assert bodies == Counter({"a": 1, "b": 1}) + Counter({"b" if held["Body"] == "a" else "a": 1})
    assert bench.remote.empty(bench.queue) == 4
    assert bench.depth() == 0
    bench.delete([held])
    with pytest.raises(ServiceError, match="no standard queue 'nope'; there are: "):
        bench.remote.empty("nope")


def test_nothing_happens_while_nothing_is_planned(bench: Bench) -> None:
    bench.remote.put(NOTHING)
    bodies = [str(n) for n in range(10)]

    bench.send(*bodies)
    messages = bench.receive()
    bench.delete(messages)

    assert [m["Body"] for m in messages] == bodies
    assert bench.depth() == 0
    assert bench.remote.injected() == {}


def test_a_region_without_faults_has_no_such_endpoint(region: Region) -> None:
    with pytest.raises(ServiceError, match="gridwell local up --faults none"):
        RemoteFaults(region.endpoint).told()


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "words"),
    [
        ("GET", "", {"Host": "evil.example:80"}, "", 403, "evil.example"),
        ("PUT", "", {"Content-Type": "text/plain"}, "{}", 415, "application/json"),
        ("PUT", "", {}, '{"faults": [{"kind": "x"}]}', 400, "kind 'x' is unknown"),
        ("DELETE", "", {}, "", 405, "there are GET and PUT"),
        ("POST", "/stop", {}, "{}", 405, "away, empty and duplicate"),
        ("POST", "/away", {}, '{"seconds": "5"}', 400, "seconds must be a number"),
        ("POST", "/away", {}, '{"second": 5}', 400, "away takes an object with 'seconds' alone"),
        ("POST", "/away", {}, "five", 400, "must be JSON"),
    ],
)
def test_the_endpoint_refuses_what_it_does_not_understand(
    bench: Bench,
    method: str,
    path: str,
    headers: dict[str, str],
    body: str,
    status: int,
    words: str,
) -> None:
    host = bench.region.endpoint.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=5)
    sent = {"Content-Type": "application/json"} | headers

    connection.request(method, PATH + path, body, sent)

    reply = connection.getresponse()
    assert reply.status == status
    assert words in json.load(reply)["error"]
    connection.close()


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
    # Starts that really boot cost seconds: their fault has tests of its own above.
    kinds -= {"start falls back"}
    deadline = time.monotonic() + 20

    while not kinds <= set(bench.remote.injected()) and time.monotonic() < deadline:
        busy_day(bench)

    assert kinds <= set(bench.remote.injected())
    assert set(bench.remote.injected()) <= set(KINDS)
