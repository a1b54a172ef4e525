# ruff: noqa: SLF001 - moto keeps a queue's lock and lists in private names, and so must we
"""Standard queue with SQS's behaviour, on moto's own queue and message objects.

Each function works on one queue and takes its lock while it reads or writes.  Its cost does not
depend on the depth, except for one walk past the messages in flight.  `sqs` replaces moto's
functions by these.
"""

from __future__ import annotations

import copy
import json
import re
from typing import Any

from moto.core.utils import unix_time_millis
from moto.sqs import models as _models

#: moto's module, untyped on purpose: moto's types do not have what `sqs` adds.
models: Any = _models

#: How many used-up receipt handles a queue remembers, so that a repeated delete succeeds.
HANDLES_REMEMBERED = 100_000
MAXIMUM_ATTRIBUTES = 10
MAXIMUM_BATCH = 10
#: What XML 1.0 does not allow, which is what SQS refuses.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTRY_ID = re.compile(r"^[\w-]{1,80}$", re.ASCII)


def forget(queue: Any, message: Any) -> None:
    """Spend every receipt handle of a message that leaves the queue or is delivered again.

    Args:
        queue: moto's queue, locked by the caller.
        message: moto's message.
    """
    queue._pending_messages.discard(message)
    if message.receipt_handle is not None:
        queue.leases.pop(message.receipt_handle, None)
        queue.spent_handles[message.receipt_handle] = None
    while len(queue.spent_handles) > HANDLES_REMEMBERED:
        del queue.spent_handles[next(iter(queue.spent_handles))]


def delete(queue: Any, receipt_handle: str) -> None:
    """Delete the message of this delivery; a spent handle has no effect."""
    with queue._messages_lock:
        if message := queue.leases.get(receipt_handle):
            queue._messages.remove(message)
            forget(queue, message)
        elif receipt_handle not in queue.spent_handles:
            raise models.ReceiptHandleIsInvalid


def change_visibility(queue: Any, receipt_handle: str, seconds: int) -> None:
    """Set how long the message of this delivery stays hidden from now.

    Raises:
        ReceiptHandleIsInvalid: the lease has lapsed, or another receiver has the message.  AWS
            refuses too, so that a worker learns that it is late.
    """
    with queue._messages_lock:
        message = queue.leases.get(receipt_handle)
        if message is None or message.visible_at <= unix_time_millis():
            raise models.ReceiptHandleIsInvalid
        message.change_visibility(int(seconds))
        queue._messages_lock.notify_all()


def receive(
    queue: Any, count: int, wait_seconds: float, visibility_timeout: int, names: list[str]
) -> list[Any]:
    """Lease up to `count` messages, waiting up to `wait_seconds` for the first.

    A waiting receiver sleeps until something is sent or the next lease lapses; nothing polls.
    """
    end = unix_time_millis() + 1000 * wait_seconds
    while True:
        with queue._messages_lock:
            messages, dead, next_due = _take(queue, count, visibility_timeout, names)
            now = unix_time_millis()
            if not messages and not dead and now < end:
                queue._messages_lock.wait((min(end, next_due) - now) / 1000 + 0.001)
        # Outside the lock: two queues may be each other's dead-letter queue.
        for message in dead:
            queue.dead_letter_queue.add_message(message)
        if messages or unix_time_millis() >= end:
            return messages


def count_messages(queue: Any) -> tuple[int, int, int]:
    """Return the numbers of visible, in-flight and delayed messages."""
    now = unix_time_millis()
    with queue._messages_lock:
        in_flight = sum(m.visible_at > now for m in queue._messages)
        delayed = sum(m.delayed_until > now for m in queue._messages)
        return len(queue._messages) - in_flight - delayed, in_flight, delayed


def check_message(queue: Any, body: str, attributes: dict[str, Any] | None) -> None:
    """Refuse what AWS would refuse of one message.

    Raises:
        SQSException: with AWS's code, for an empty, too long or unprintable body.
    """
    attributes = attributes or {}
    if not body:
        raise models.MissingParameter("MessageBody")
    if found := _FORBIDDEN.search(body):
        raise models.SQSException(
            "InvalidMessageContents",
            f"Invalid character #x{ord(found.group()):X} at position {found.start()} of the"
            " message body: only #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD |"
            " #x10000 to #x10FFFF are allowed.",
        )
    if len(attributes) > MAXIMUM_ATTRIBUTES:
        raise models.InvalidParameterValue(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum"
            f" [{MAXIMUM_ATTRIBUTES}]."
        )
    if message_size(body, attributes) > queue.maximum_message_size:
        raise models.InvalidParameterValue(
            "One or more parameters are invalid. Reason: Message must be shorter than"
            f" {queue.maximum_message_size} bytes."
        )


def message_size(body: str, attributes: dict[str, Any]) -> int:
    """Return the bytes that SQS counts: the body, and each attribute's name, type and value."""
    size = len(body.encode())
    for name, attribute in attributes.items():
        value = attribute.get("StringValue") or attribute.get("BinaryValue") or ""
        size += len(name.encode()) + len(attribute["DataType"].encode())
        size += len(value if isinstance(value, bytes) else value.encode())
    return size


def send(
    queue: Any,
    body: str,
    *,
    message_attributes: dict[str, Any] | None = None,
    delay_seconds: int | None = None,
    deduplication_id: str | None = None,  # noqa: ARG001 - FIFO only, but moto passes it
    group_id: str | None = None,
    system_attributes: dict[str, Any] | None = None,
) -> Any:
    """Add one message, already checked, and wake the receivers that wait for it."""
    delay = queue.delay_seconds if delay_seconds is None else int(delay_seconds)
    if not 0 <= delay <= models.MAXIMUM_MESSAGE_DELAY:
        raise models.InvalidParameterValue(
            f"Value {delay} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be"
            f" >= 0 and <= {models.MAXIMUM_MESSAGE_DELAY}."
        )
    message = models.Message(str(models.random.uuid4()), body, system_attributes)
    message.group_id = group_id
    message.message_attributes = message_attributes or {}
    message.mark_sent(delay_seconds=delay)
    queue.add_message(message)
    return message


def send_batch(queue: Any, entries: list[dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    """Send each entry that can be sent.

    Returns:
        The messages sent, and a fault for each entry refused, in SQS's own shape.
    """
    ids = [entry["Id"] for entry in entries]
    if not all(_ENTRY_ID.match(entry_id) for entry_id in ids):
        raise models.InvalidBatchEntryId
    for entry_id in ids:
        if ids.count(entry_id) > 1:
            raise models.BatchEntryIdsNotDistinct(entry_id)
    if len(entries) > MAXIMUM_BATCH:
        raise models.TooManyEntriesInBatchRequest(len(entries))
    size = sum(
        message_size(entry["MessageBody"], entry["MessageAttributes"] or {}) for entry in entries
    )
    if size > models.MAXIMUM_MESSAGE_LENGTH:
        raise models.BatchRequestTooLong(size)
    sent, failed = [], []
    for entry in entries:
        try:
            check_message(queue, entry["MessageBody"], entry["MessageAttributes"])
            message = send(
                queue,
                entry["MessageBody"],
                message_attributes=entry["MessageAttributes"],
                delay_seconds=entry["DelaySeconds"],
                group_id=entry.get("MessageGroupId"),
            )
        except models.SQSException as error:
            fault = {"Id": entry["Id"], "SenderFault": True}
            failed.append(fault | {"Code": error.code, "Message": error.message})
        else:
            message.user_id = entry["Id"]
            sent.append(message)
    return sent, failed


def _take(
    queue: Any, count: int, visibility_timeout: int, attribute_names: list[str]
) -> tuple[list[Any], list[Any], float]:
    """Lease up to `count` messages of a locked queue.

    Returns:
        Copies of the leased messages; messages that go to the dead-letter queue, already out of
        this one; and when the next hidden message turns visible, in epoch milliseconds.
    """
    taken: list[Any] = []
    dead: list[Any] = []
    gone: list[Any] = []
    now, next_due = unix_time_millis(), float("inf")
    expired = now - queue.message_retention_period * 1000
    redrive = queue.redrive_policy if queue.dead_letter_queue is not None else None
    for message in queue._messages:
        due = max(message.visible_at, message.delayed_until)
        if message.sent_timestamp <= expired:
            gone.append(message)
        elif due > now:
            next_due = min(next_due, due)
        elif redrive and message.approximate_receive_count >= redrive["maxReceiveCount"]:
            dead.append(message)
        else:
            forget(queue, message)
            message.mark_received(visibility_timeout=visibility_timeout)
            message._old_receipt_handles.clear()
            queue.leases[message.receipt_handle] = message
            queue._pending_messages.add(message)
            delivered = copy.copy(message)
            models._filter_message_attributes(delivered, attribute_names)
            taken.append(delivered)
            if len(taken) >= count:
                break
    for message in dead + gone:
        queue._messages.remove(message)
        forget(queue, message)
    for message in dead:
        message.visible_at, message.receipt_handle = 0.0, None
    return taken, dead, next_due


def attributes_of(queue: Any, attribute_names: list[str]) -> dict[str, Any]:
    """Return the queue attributes asked for, each computed only when it was asked for."""
    own = list(queue.BASE_ATTRIBUTES)
    own += queue.FIFO_ATTRIBUTES if queue.fifo_queue else []
    own += queue.KMS_ATTRIBUTES if queue.kms_master_key_id else []
    known = {"All", *own, *queue.FIFO_ATTRIBUTES, *queue.KMS_ATTRIBUTES}
    for name in attribute_names:
        if name not in known:
            raise models.InvalidAttributeName(name)
    wanted = own if "All" in attribute_names else [n for n in own if n in attribute_names]
    values = {name: _attribute(queue, name) for name in wanted}
    return {name: value for name, value in values.items() if value is not None}


def _attribute(queue: Any, name: str) -> Any:
    if name == "RedrivePolicy":
        return json.dumps(queue.redrive_policy) if queue.redrive_policy else None
    value = getattr(queue, models.camelcase_to_underscores(name))
    return str(value).lower() if isinstance(value, bool) else value
