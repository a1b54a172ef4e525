from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from gridwell.adapters.aws.sqs import BATCH_BYTES, SqsQueue
from gridwell.adapters.memory import ManualClock, MemoryQueue
from gridwell.engine.errors import ServiceBusy, ServiceDenied
from gridwell.engine.limits import MESSAGE_BYTES
from gridwell.engine.ports import Depth
from tests.harness.threads import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.engine.ports import Queue, Received
    from tests.adapters.conftest import Aws


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def queue(backend: str, clock: ManualClock, request: pytest.FixtureRequest) -> Queue:
    if backend == "memory":
        return MemoryQueue(clock, visibility=60)
    aws: Aws = request.getfixturevalue("aws")
    sqs = aws.clients["sqs"]
    sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=aws.names["ChunksQueue"])["QueueUrl"])
    return SqsQueue(sqs, aws.names["ChunksQueue"])


@pytest.fixture
def pass_time(backend: str, clock: ManualClock) -> Callable[[float], None]:
    return clock.advance if backend == "memory" else time.sleep


def drained(queue: Queue) -> list[Received]:
    found: list[Received] = []
    while messages := queue.receive(at_most=10, wait=0):
        found += messages
    return found


def test_every_message_sent_is_received_in_whatever_batches(queue: Queue) -> None:
    bodies = [f"message {number} \N{GREEK SMALL LETTER ALPHA}" for number in range(25)]

    assert queue.send(bodies, group="public") == []
    received = drained(queue)

    assert sorted(m.body for m in received) == sorted(bodies)
    assert {m.receives for m in received} == {1}


def test_a_message_tells_when_it_was_first_sent(queue: Queue, clock: ManualClock) -> None:
    now = clock.now() if isinstance(queue, MemoryQueue) else time.time()
    queue.send(["message"])

    (received,) = drained(queue)

    assert received.sent_at is not None
    assert abs(received.sent_at - now) < 10


def test_sending_nothing_is_no_call(queue: Queue) -> None:
    assert queue.send([]) == []
    assert queue.depth() == Depth(visible=0, in_flight=0)


def test_only_the_refused_messages_are_named(queue: Queue) -> None:
    bodies = ["x"] * 13
    bodies[2] = bodies[11] = "x" * (MESSAGE_BYTES + 1)
    bodies[4] = "x" * MESSAGE_BYTES

    assert queue.send(bodies) == [2, 11]
    assert len(drained(queue)) == 11


def test_a_leased_message_is_in_flight_until_it_is_deleted(queue: Queue) -> None:
    queue.send(["a", "b", "c"])
    held = queue.receive(at_most=2, wait=1)
    assert len(held) == 2
    assert queue.depth() == Depth(visible=1, in_flight=2)

    queue.delete([m.receipt for m in held])

    assert queue.depth() == Depth(visible=1, in_flight=0)


def test_many_messages_are_deleted_and_extended_at_once(queue: Queue) -> None:
    queue.send([str(number) for number in range(23)])
    receipts = [m.receipt for m in drained(queue)]

    queue.extend(receipts, 0)
    assert queue.depth() == Depth(visible=23, in_flight=0)
    queue.delete([m.receipt for m in drained(queue)])

    assert queue.depth() == Depth(visible=0, in_flight=0)


def test_a_message_given_back_is_received_again_and_counts(queue: Queue) -> None:
    queue.send(["a"])
    (first,) = queue.receive(at_most=1, wait=0)

    queue.extend([first.receipt], 0)
    (second,) = queue.receive(at_most=10, wait=0)

    assert (second.body, second.receives) == ("a", 2)


def test_a_lease_that_ran_out_gives_the_message_to_another(
    queue: Queue, pass_time: Callable[[float], None]
) -> None:
    queue.send(["a"])
    (first,) = queue.receive(at_most=1, wait=0)
    queue.extend([first.receipt], 1)
    assert queue.receive(at_most=1, wait=0) == []

    pass_time(1.05)
    (second,) = queue.receive(at_most=1, wait=0)

    # What the first holder still does must not touch the second's lease.
    queue.extend([first.receipt], 0)
    queue.delete([first.receipt])
    assert queue.depth() == Depth(visible=0, in_flight=1)
    queue.delete([second.receipt])
    assert queue.depth() == Depth(visible=0, in_flight=0)


def test_deleting_or_extending_what_is_gone_is_no_error(queue: Queue) -> None:
    queue.send(["a", "b"])
    a, b = queue.receive(at_most=2, wait=0)
    queue.delete([a.receipt])

    queue.delete([a.receipt, b.receipt, b.receipt])
    queue.extend([a.receipt, b.receipt], 30)

    assert queue.depth() == Depth(visible=0, in_flight=0)


def test_a_long_poll_of_an_empty_queue_ends_empty(queue: Queue) -> None:
    assert queue.receive(at_most=1, wait=1) == []


@pytest.mark.parametrize("at_most", [0, 11])
def test_sqs_gives_one_to_ten_messages(queue: Queue, at_most: int) -> None:
    with pytest.raises(ValueError, match=f"at_most is {at_most}"):
        queue.receive(at_most=at_most, wait=0)


def test_racing_receivers_share_the_messages(queue: Queue) -> None:
    queue.send([str(number) for number in range(80)])

    taken = at_once([lambda: queue.receive(at_most=10, wait=0) for _ in range(8)])

    counts = Counter(m.body for messages in taken for m in messages)
    assert len(counts) == 80
    assert set(counts.values()) == {1}


# --- what SQS alone can do to us


class Scripted:
    """SQS as a script of replies; it notes what it was asked."""

    def __init__(self, *replies: dict[str, Any]) -> None:
        self._replies = list(replies)
        self.asked: list[list[dict[str, Any]]] = []

    def get_queue_url(self, **_: Any) -> dict[str, str]:
        return {"QueueUrl": "url"}

    def _batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's names
        assert QueueUrl == "url"
        self.asked.append(Entries)
        return self._replies.pop(0) if self._replies else {}

    def receive_message(self, **arguments: Any) -> dict[str, Any]:
        self.asked.append([arguments])
        return {}

    send_message_batch = delete_message_batch = change_message_visibility_batch = _batch


def scripted(*replies: dict[str, Any]) -> tuple[SqsQueue, Scripted]:
    client: Any = Scripted(*replies)
    return SqsQueue(client, "q"), client


def failed(code: str, *places: int) -> dict[str, Any]:
    return {"Failed": [{"Id": str(p), "Code": code, "SenderFault": False} for p in places]}


def test_positions_of_later_batches_are_counted_from_the_first() -> None:
    queue, _ = scripted({}, failed("InternalError", 12))

    assert queue.send(["x"] * 15) == [12]


def test_no_call_carries_more_than_sqs_takes() -> None:
    queue, client = scripted()
    half = "x" * (BATCH_BYTES // 2)

    refused = queue.send([half, half, "x", "x" * (BATCH_BYTES + 1), half, *["x"] * 12], group="g")

    assert refused == [3]
    assert [len(entries) for entries in client.asked] == [2, 10, 4]
    assert {entry["MessageGroupId"] for entries in client.asked for entry in entries} == {"g"}


def test_only_the_failed_deletes_are_tried_again() -> None:
    queue, client = scripted(failed("InternalError", 1), {})

    queue.delete(["a", "b", "c"])

    assert [[e["ReceiptHandle"] for e in entries] for entries in client.asked] == [
        ["a", "b", "c"],
        ["b"],
    ]


def test_deletes_that_go_on_failing_end_after_three_rounds() -> None:
    queue, client = scripted(*[failed("InternalError", 0)] * 5)

    with pytest.raises(ServiceBusy, match=r"the queue q failed for 1 messages: InternalError"):
        queue.delete(["a"])
    assert len(client.asked) == 3


@pytest.mark.parametrize(
    "code", ["ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"]
)
def test_an_extension_of_a_lapsed_lease_is_not_tried_again(code: str) -> None:
    queue, client = scripted(failed(code, 0))

    queue.extend(["a"], 1.2)

    ((entry,),) = client.asked
    assert entry["VisibilityTimeout"] == 2


@pytest.mark.parametrize(("wait", "seconds"), [(0, 0), (0.2, 1), (20, 20), (25.0, 20)])
def test_a_short_wait_is_still_a_long_poll(wait: float, seconds: int) -> None:
    queue, client = scripted()

    assert queue.receive(at_most=3, wait=wait) == []

    ((asked,),) = client.asked
    assert (asked["MaxNumberOfMessages"], asked["WaitTimeSeconds"]) == (3, seconds)


def test_an_impossible_lease_is_refused_before_it_is_sent() -> None:
    queue, client = scripted()

    with pytest.raises(ValueError, match="43201 seconds is not between 0 and 43200"):
        queue.extend(["a"], 43_201)
    assert client.asked == []


def test_a_missing_queue_is_named_with_the_remedy(aws: Aws) -> None:
    with pytest.raises(ServiceDenied, match=r"the queue nowhere.*create the stack"):
        SqsQueue(aws.clients["sqs"], "nowhere").depth()
