import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from moto.sqs import models as _models

from gridwell.local_stack.region.moto import self_check
from gridwell.local_stack.region.moto import sqs as moto_sqs
from tests.harness.waiting import DEADLINE

models: Any = _models

PROBE = """
from gridwell.local_stack.region.moto import self_check
try:
    self_check.self_check()
except RuntimeError as error:
    print(error)
"""

NEVER = 10 * DEADLINE  #: seconds of a poll that only what it waits for ends in time


@pytest.fixture
def sqs() -> Any:
    moto_sqs.install()
    backend = models.SQSBackend("us-east-1", "000000000000")
    backend.create_queue("dead")
    policy = {"deadLetterTargetArn": backend.get_queue("dead").queue_arn, "maxReceiveCount": 2}
    backend.create_queue("q", VisibilityTimeout="30", MaximumMessageSize="1024")
    queue = backend.get_queue("q")
    queue.redrive_policy, queue.dead_letter_queue = policy, backend.get_queue("dead")
    return backend


@pytest.fixture
def eager_switching() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def counts(sqs: Any) -> list[int]:
    names = ["", "NotVisible", "Delayed"]
    attributes = sqs.get_queue_attributes("q", ["All"])
    return [attributes[f"ApproximateNumberOfMessages{name}"] for name in names]


def test_the_self_check_refuses_an_unpatched_moto() -> None:
    probe = subprocess.run(
        [sys.executable, "-c", PROBE], check=True, capture_output=True, text=True, cwd=None
    )

    assert "call moto_sqs.install() first" in probe.stdout


def test_the_self_check_passes_on_the_patched_one(sqs: Any) -> None:
    self_check.self_check()


def test_another_version_of_moto_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moto_sqs, "version", lambda _: "5.3.0")

    with pytest.raises(RuntimeError, match=r"pip install 'moto==5\.2\.5'"):
        moto_sqs.install()


def test_no_message_is_lost_or_doubled_under_threads(sqs: Any, eager_switching: None) -> None:
    total, received = 2000, Counter[str]()
    lock, faults = threading.Lock(), list[Exception]()

    def send(first: int) -> None:
        for number in range(first, total, 2):
            sqs.send_message("q", str(number))

    def receive() -> None:
        try:
            while received.total() < total:
                for message in sqs.receive_message("q", 10, 0, 600):
                    with lock:
                        received[message.body] += 1
                    sqs.delete_message("q", message.receipt_handle)
        except Exception as error:  # noqa: BLE001 - asserted on below
            faults.append(error)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(2)]
    threads += [threading.Thread(target=receive) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)

    assert faults == []
    assert received == Counter(str(n) for n in range(total))
    assert counts(sqs) == [0, 0, 0]


def test_a_stale_handle_does_not_delete_a_redelivered_message(sqs: Any) -> None:
    sqs.send_message("q", "work")
    (first,) = sqs.receive_message("q", 1, 0, 30)
    sqs.change_message_visibility("q", first.receipt_handle, 0)
    (second,) = sqs.receive_message("q", 1, 0, 30)

    sqs.delete_message("q", first.receipt_handle)

    assert counts(sqs) == [0, 1, 0]
    with pytest.raises(models.ReceiptHandleIsInvalid):
        sqs.change_message_visibility("q", first.receipt_handle, 60)
    sqs.delete_message("q", second.receipt_handle)
    assert counts(sqs) == [0, 0, 0]


def test_a_lapsed_lease_cannot_be_extended(sqs: Any) -> None:
    sqs.send_message("q", "work")
    (lease,) = sqs.receive_message("q", 1, 0, 30)
    sqs.get_queue("q")._messages[0].visible_at = 0.0

    with pytest.raises(models.ReceiptHandleIsInvalid):
        sqs.change_message_visibility("q", lease.receipt_handle, 60)


def test_a_repeated_delete_succeeds_and_a_made_up_handle_does_not(sqs: Any) -> None:
    sqs.send_message("q", "work")
    (lease,) = sqs.receive_message("q", 1, 0, 30)

    sqs.delete_message("q", lease.receipt_handle)
    sqs.delete_message("q", lease.receipt_handle)

    with pytest.raises(models.ReceiptHandleIsInvalid):
        sqs.delete_message("q", "made up")


def test_a_message_received_too_often_becomes_a_dead_letter(sqs: Any) -> None:
    sqs.send_message("q", "poison")
    for _ in range(2):
        (lease,) = sqs.receive_message("q", 1, 0, 30)
        sqs.change_message_visibility("q", lease.receipt_handle, 0)

    assert sqs.receive_message("q", 1, 0, 30) == []
    (dead,) = sqs.receive_message("dead", 1, 0, 30)
    assert dead.body == "poison"
    assert dead.approximate_receive_count == 3


def test_sizes_are_counted_in_bytes_with_the_attributes(sqs: Any) -> None:
    attributes = {"a": {"DataType": "String", "StringValue": "é" * 10}}

    sqs.send_message("q", "é" * 512)
    with pytest.raises(models.InvalidParameterValue, match="shorter than 1024 bytes"):
        sqs.send_message("q", "é" * 513)
    with pytest.raises(models.InvalidParameterValue, match="shorter than 1024 bytes"):
        sqs.send_message("q", "é" * 510, message_attributes=attributes)


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\ufffe", "\ud800"])
def test_a_body_that_xml_cannot_carry_is_refused(sqs: Any, character: str) -> None:
    with pytest.raises(models.SQSException) as caught:
        sqs.send_message("q", f"a{character}")

    assert caught.value.code == "InvalidMessageContents"


def test_an_empty_body_is_refused(sqs: Any) -> None:
    with pytest.raises(models.MissingParameter):
        sqs.send_message("q", "")


def test_a_bad_entry_of_a_batch_fails_alone(sqs: Any) -> None:
    entries: dict[str, dict[str, object]] = {
        str(n): {"Id": f"m{n}", "MessageBody": body, "MessageAttributes": {}, "DelaySeconds": None}
        for n, body in enumerate(["good", "x" * 1025, "\x01"])
    }

    sent, failed = sqs.send_message_batch("q", entries)

    assert [message.body for message in sent] == ["good"]
    assert [(f["Id"], f["Code"]) for f in failed] == [
        ("m1", "InvalidParameterValue"),
        ("m2", "InvalidMessageContents"),
    ]


def test_a_send_wakes_a_long_poll(sqs: Any) -> None:
    threading.Timer(0.1, lambda: sqs.send_message("q", "news")).start()

    (message,) = sqs.receive_message("q", 10, NEVER, 30)

    assert message.body == "news"


def test_a_long_poll_sees_a_lease_lapse(sqs: Any) -> None:
    sqs.send_message("q", "work")
    sqs.receive_message("q", 1, 0, 1)

    (again,) = sqs.receive_message("q", 1, NEVER, 30)

    assert again.approximate_receive_count == 2


def test_a_delayed_message_is_neither_visible_nor_in_flight(sqs: Any) -> None:
    sqs.send_message("q", "later", delay_seconds=60)

    assert sqs.receive_message("q", 1, 0, 30) == []
    assert counts(sqs) == [0, 0, 1]


def test_a_purged_queue_takes_back_no_handle(sqs: Any) -> None:
    sqs.send_message("q", "work")
    (lease,) = sqs.receive_message("q", 1, 0, 30)

    sqs.purge_queue("q")

    sqs.delete_message("q", lease.receipt_handle)
    assert counts(sqs) == [0, 0, 0]


def test_used_up_handles_are_forgotten_in_the_end(
    sqs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridwell.local_stack.region.moto.sqs_queue.HANDLES_REMEMBERED", 3)
    for number in range(5):
        sqs.send_message("q", str(number))
    for lease in sqs.receive_message("q", 5, 0, 30):
        sqs.delete_message("q", lease.receipt_handle)

    assert len(sqs.get_queue("q").spent_handles) == 3


def test_fifo_queues_keep_their_order_within_a_group(sqs: Any) -> None:
    sqs.create_queue("o.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    for body in ("first", "second", "first"):
        sqs.send_message("o.fifo", body, group_id="g")

    bodies = [message.body for message in sqs.receive_message("o.fifo", 10, 0, 30)]

    assert bodies == ["first", "second"]
