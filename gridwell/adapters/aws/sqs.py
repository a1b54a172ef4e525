"""A standard SQS queue."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, Final

from gridwell.adapters.aws.client import translated
from gridwell.engine.errors import ServiceBusy
from gridwell.engine.ports import Depth, Received

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mypy_boto3_sqs import SQSClient

logger = logging.getLogger(__name__)

BATCH: Final = 10  #: messages in one call
BATCH_BYTES: Final = 1024 * 1024  #: of all bodies in one call
LONGEST_WAIT: Final = 20  #: seconds of a long poll
LONGEST_LEASE: Final = 12 * 3600  #: seconds
ROUNDS: Final = 3  #: in which a delete or an extension is tried

#: SQS's names for a receipt that no longer holds anything.
_LAPSED = frozenset(
    {
        "AWS.SimpleQueueService.MessageNotInflight",
        "InvalidParameterValue",
        "MessageNotInflight",
        "ReceiptHandleIsInvalid",
    }
)


class SqsQueue:
    """Keeps the promises of `gridwell.engine.ports.Queue`.

    Args:
        client: of SQS.
        name: the queue's name; it is looked up at the first call.
    """

    def __init__(self, client: SQSClient, name: str) -> None:
        self._client = client
        self._name = name
        self._resource = f"the queue {name}"
        self._known_url: str | None = None

    def send(self, bodies: Sequence[str], *, group: str = "") -> list[int]:
        """See `gridwell.engine.ports.Queue`."""
        sendable, refused = _sizes(bodies)
        options = {"MessageGroupId": group} if group else {}
        for batch in _batches(sendable):
            entries: Any = [
                {"Id": str(position), "MessageBody": bodies[position], **options}
                for position in batch
            ]
            with translated(self._resource):
                reply = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            for failure in reply.get("Failed", []):
                refused.append(int(failure["Id"]))
                logger.warning(
                    "%s refused message %s of %d: %s %s",
                    self._resource,
                    failure["Id"],
                    len(bodies),
                    failure["Code"],
                    failure.get("Message", ""),
                    extra={"action": "queue.refused", "queue": self._name},
                )
        return sorted(refused)

    def receive(self, *, at_most: int, wait: float) -> list[Received]:
        """See `gridwell.engine.ports.Queue`; SQS waits for whole seconds, at most 20."""
        if not 1 <= at_most <= BATCH:
            raise ValueError(f"at_most is {at_most}, SQS gives 1 to {BATCH} messages")
        with translated(self._resource):
            reply = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=at_most,
                # Upwards: a wait of 0 asks only some of the servers.
                WaitTimeSeconds=min(math.ceil(wait), LONGEST_WAIT),
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            )
        return [
            Received(
                message["Body"],
                message["ReceiptHandle"],
                int(message["Attributes"]["ApproximateReceiveCount"]),
                int(message["Attributes"]["SentTimestamp"]) / 1000,
            )
            for message in reply.get("Messages", [])
        ]

    def delete(self, receipts: Sequence[str]) -> None:
        """See `gridwell.engine.ports.Queue`."""

        def call(entries: Any) -> Any:
            return self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)

        self._for_each(receipts, call, {})

    def extend(self, receipts: Sequence[str], seconds: float) -> None:
        """See `gridwell.engine.ports.Queue`; SQS counts whole seconds."""
        # Checked here, as SQS has one name for a bad number and a lapsed receipt.
        if not 0 <= seconds <= LONGEST_LEASE:
            raise ValueError(f"a lease of {seconds} seconds is not between 0 and {LONGEST_LEASE}")

        def call(entries: Any) -> Any:
            return self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

        self._for_each(receipts, call, {"VisibilityTimeout": math.ceil(seconds)})

    def depth(self) -> Depth:
        """See `gridwell.engine.ports.Queue`."""
        with translated(self._resource):
            reply = self._client.get_queue_attributes(
                QueueUrl=self._url,
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesNotVisible",
                ],
            )
        counts = reply["Attributes"]
        return Depth(
            visible=int(counts["ApproximateNumberOfMessages"]),
            in_flight=int(counts["ApproximateNumberOfMessagesNotVisible"]),
        )

    @property
    def _url(self) -> str:
        # Two threads may both look it up, and find the same.
        if self._known_url is None:
            self._known_url = self._client.get_queue_url(QueueName=self._name)["QueueUrl"]
        return self._known_url

    def _for_each(
        self,
        receipts: Sequence[str],
        call: Callable[[Any], Any],
        options: dict[str, int],
    ) -> None:
        """Do one thing to many messages; those that fail alone are tried again.

        Raises:
            ServiceBusy: if some still fail after the last round.
        """
        left = list(dict.fromkeys(receipts))
        code = ""
        for _ in range(ROUNDS):
            failed: list[str] = []
            for start in range(0, len(left), BATCH):
                batch = left[start : start + BATCH]
                entries = [
                    {"Id": str(place), "ReceiptHandle": receipt, **options}
                    for place, receipt in enumerate(batch)
                ]
                with translated(self._resource):
                    reply = call(entries)
                for failure in reply.get("Failed", []):
                    if failure["Code"] not in _LAPSED:
                        failed.append(batch[int(failure["Id"])])
                        code = failure["Code"]
            if not failed:
                return
            left = failed
        raise ServiceBusy(f"{self._resource} failed for {len(left)} messages: {code}")


def _sizes(bodies: Sequence[str]) -> tuple[list[tuple[int, int]], list[int]]:
    """Position and bytes of each message that fits into a call, and positions of those too big."""
    sizes = [(position, len(body.encode())) for position, body in enumerate(bodies)]
    sendable = [(position, size) for position, size in sizes if size <= BATCH_BYTES]
    return sendable, [position for position, size in sizes if size > BATCH_BYTES]


def _batches(sizes: list[tuple[int, int]]) -> Iterator[list[int]]:
    """Positions, in as few calls as their number and their bytes allow."""
    batch: list[int] = []
    total = 0
    for position, size in sizes:
        if batch and (len(batch) == BATCH or total + size > BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(position)
        total += size
    if batch:
        yield batch
