"""Queues on a bad day, as boto3 sees them."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from gridwell.engine.errors import ServiceError

if TYPE_CHECKING:
    from tests.harness.local_region import Bench


def test_a_queue_tells_its_counts_of_before(bench: Bench) -> None:
    bench.plan("count late", resource=bench.queue, seconds=60)
    assert bench.depth() == 0
    bench.send("a", "b")

    assert [bench.depth(), bench.depth()] == [0, 2]


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
