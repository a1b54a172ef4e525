"""One suite for topics: in memory, and SNS that sends to SQS."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from gridwell.adapters.aws.sns import SnsTopic
from gridwell.adapters.aws.sqs import SqsQueue
from gridwell.adapters.memory import ManualClock, MemoryQueue, MemoryTopic
from gridwell.engine.errors import ServiceBusy, ServiceDenied
from gridwell.engine.job_events import EventKind, JobEvent, Notice
from tests.harness.builders import NOW, a_job, a_problem
from tests.local_stack.conftest import ROOT
from web_tier.jobs.event_publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gridwell.engine.ports import Queue, Topic
    from tests.adapters.conftest import Aws

_names = itertools.count()


@dataclass(frozen=True, slots=True)
class Bench:
    """A topic, and how a queue subscribes to it."""

    topic: Topic
    subscribe: Callable[[Mapping[str, Sequence[str]] | None], Queue]


@pytest.fixture
def bench(backend: str, request: pytest.FixtureRequest) -> Bench:
    if backend == "memory":
        topic = MemoryTopic()

        def in_memory(policy: Mapping[str, Sequence[str]] | None) -> Queue:
            queue = MemoryQueue(ManualClock())
            topic.subscribe(queue, policy)
            return queue

        return Bench(topic, in_memory)
    aws: Aws = request.getfixturevalue("aws")
    sns, sqs = aws.region.client("sns"), aws.region.client("sqs")
    arn = sns.create_topic(Name=f"events-{next(_names)}")["TopicArn"]

    def on_aws(policy: Mapping[str, Sequence[str]] | None) -> Queue:
        name = f"subscriber-{next(_names)}"
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        options = {"RawMessageDelivery": "true"}
        if policy is not None:
            options["FilterPolicy"] = json.dumps(policy)
        sns.subscribe(
            TopicArn=arn,
            Protocol="sqs",
            Endpoint=attributes["Attributes"]["QueueArn"],
            Attributes=options,
        )
        return SqsQueue(sqs, name)

    return Bench(SnsTopic(sns, arn), on_aws)


def notice(body: str, **attributes: str) -> Notice:
    return Notice(body=body, attributes=tuple(attributes.items()))


def bodies(queue: Queue) -> list[str]:
    found: list[str] = []
    while batch := queue.receive(at_most=10, wait=0):
        found += [received.body for received in batch]
        queue.delete([received.receipt for received in batch])
    return sorted(found)


def test_what_is_published_goes_to_all_who_subscribe(bench: Bench) -> None:
    one, two = bench.subscribe(None), bench.subscribe(None)

    bench.topic.publish([notice(f"{number:02}", job="a") for number in range(25)])

    assert bodies(one) == bodies(two) == [f"{number:02}" for number in range(25)]


def test_a_filter_lets_through_what_has_all_its_attributes(bench: Bench) -> None:
    queue = bench.subscribe({"job": ["a", "b"], "event": ["done"]})

    bench.topic.publish(
        [
            notice("yes", job="a", event="done"),
            notice("other job", job="c", event="done"),
            notice("other event", job="b", event="progress"),
            notice("unnamed"),
        ]
    )

    assert bodies(queue) == ["yes"]


def test_nothing_to_publish_is_nothing_to_do(bench: Bench) -> None:
    bench.topic.publish([])


def test_a_topic_that_is_not_there_is_denied(aws: Aws) -> None:
    arn = "arn:aws:sns:us-east-1:123456789012:none"

    with pytest.raises(ServiceDenied, match="the topic arn:"):
        SnsTopic(aws.region.client("sns"), arn).publish([notice("x", job="a")])


def test_messages_that_sns_refuses_one_by_one_are_told() -> None:
    class Refusing:
        def publish_batch(self, **_: Any) -> Any:
            return {"Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": False}]}

    refusing: Any = Refusing()
    with pytest.raises(ServiceBusy, match="refused 1 messages: InternalError"):
        SnsTopic(refusing, "arn").publish([notice("x", job="a")])


def test_the_documented_subscriber_hears_of_its_job(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    sns, sqs = aws.region.client("sns"), aws.region.client("sqs")
    page = (ROOT / "docs" / "how-to" / "operate.md").read_text()
    (example,) = re.findall(r"```python\n(import json\n.*?)```", page, re.DOTALL)
    monkeypatch.setattr(boto3, "client", aws.region.client)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/how-to/operate.md", "exec"), names)  # noqa: S102 - our own page
    topic = sns.create_topic(Name="documented")["TopicArn"]
    job = a_job(a_problem())

    url = names["subscribe"](topic, "follower", job.id)
    publisher = Publisher(SnsTopic(sns, topic), clock=ManualClock())
    for one in (job, replace(job, id="f" * 32)):
        publisher.tell(JobEvent(kind=EventKind.ACCEPTED, job=one, at=NOW))
    publisher.close()

    (message,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    body = json.loads(message["Body"])
    assert (body["job"], body["event"]) == (job.id, "accepted")
