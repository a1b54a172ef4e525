"""Kinds of faults, each with its one name.

The simulator in virtual time (`tests/simulation`) uses the same names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SQS_BATCHES: Final = frozenset(
    {"SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"}
)

#: The metadata service of an instance and what is asked of it, in the words of a plan.
METADATA: Final = {"imds": frozenset({"GetToken", "GetMetadata"})}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind:
    """Description of a kind of fault."""

    does: str  #: what happens, in half a sentence
    seconds: tuple[float, float] | None = None  #: default least and most; None: has no time
    time_is: str = ""  #: what these seconds are
    #: where it can happen; None: at any call
    operations: Mapping[str, frozenset[str]] | None = None


_SPELL: Final = "how long more calls of the same operation meet the same"
_AGE: Final = "how old the answer may be"

KINDS: Final[Mapping[str, FaultKind]] = {
    "crash before": FaultKind(does="the calling process is killed, and the call has no effect"),
    "request lost": FaultKind(
        does="the connection closes without an answer; the call has no effect"
    ),
    "throttled": FaultKind(
        does="the call is refused as one of too many", seconds=(0.0, 0.0), time_is=_SPELL
    ),
    "server error": FaultKind(
        does="the call is answered by a 5xx and has no effect", seconds=(0.0, 0.0), time_is=_SPELL
    ),
    "access denied": FaultKind(
        does="the call is refused, as where a policy, a key or an archive forbids it",
        seconds=(0.0, 0.0),
        time_is=_SPELL,
    ),
    "no capacity": FaultKind(
        does="EC2 answers InsufficientInstanceCapacity",
        seconds=(0.0, 0.0),
        time_is=_SPELL,
        operations={"ec2": frozenset({"RunInstances", "StartInstances"})},
    ),
    "start falls back": FaultKind(
        does="StartInstances answers OK, and the instance falls back to stopped",
        seconds=(0.2, 2.0),
        time_is="how long the instance is pending",
        operations={"ec2": frozenset({"StartInstances"})},
    ),
    "boot hangs": FaultKind(
        does="the call answers OK, and the instance is pending for long, then stopped",
        seconds=(30.0, 300.0),
        time_is="how long the instance is pending",
        operations={"ec2": frozenset({"RunInstances", "StartInstances"})},
    ),
    "metadata throttled": FaultKind(
        does="an instance's metadata service answers 503",
        seconds=(0.0, 0.0),
        time_is=_SPELL,
        operations=METADATA,
    ),
    "metadata hangs": FaultKind(
        does="an instance's metadata service does not answer, and closes the connection",
        seconds=(1.0, 10.0),
        time_is="until it closes the connection",
        operations=METADATA,
    ),
    "offer never speaks": FaultKind(
        does="the call answers OK, and the instance runs without ever reaching its queue",
        seconds=(1.0, 5.0),
        time_is="how long the instance is pending",
        operations={"ec2": frozenset({"RunInstances", "StartInstances"})},
    ),
    "offer refused": FaultKind(
        does="EC2 answers UnauthorizedOperation; its resource may be a type or a subnet",
        operations={"ec2": frozenset({"RunInstances"})},
    ),
    "start refused for good": FaultKind(
        does="EC2 answers InvalidVolume.NotFound: the instance's disk is gone",
        operations={"ec2": frozenset({"StartInstances"})},
    ),
    "stop refused": FaultKind(
        does="EC2 answers OperationNotPermitted, as with stop protection",
        operations={"ec2": frozenset({"StopInstances"})},
    ),
    "protected": FaultKind(
        does="EC2 answers OperationNotPermitted, as with termination protection",
        operations={"ec2": frozenset({"TerminateInstances"})},
    ),
    "describe late": FaultKind(
        does="EC2 shows its instances as they were before",
        seconds=(0.0, 50.0),
        time_is=_AGE,
        operations={"ec2": frozenset({"DescribeInstances"})},
    ),
    "count late": FaultKind(
        does="SQS tells a queue's counts of before",
        seconds=(0.0, 60.0),
        time_is=_AGE,
        operations={"sqs": frozenset({"GetQueueAttributes"})},
    ),
    "index late": FaultKind(
        does="a secondary index of DynamoDB shows what was there before",
        seconds=(0.0, 5.0),
        time_is=_AGE,
        operations={"dynamodb": frozenset({"Query"})},
    ),
    "batch refused": FaultKind(
        does="an entry of a batch fails alone, in an answer of HTTP 200",
        operations={"sqs": SQS_BATCHES},
    ),
    "keys unprocessed": FaultKind(
        does="BatchGetItem leaves a key out, under UnprocessedKeys",
        operations={"dynamodb": frozenset({"BatchGetItem"})},
    ),
    "delayed": FaultKind(
        does="a new message turns visible later",
        seconds=(1.0, 20.0),
        time_is="how much later",
        operations={"sqs": frozenset({"SendMessage", "SendMessageBatch"})},
    ),
    "delete forgotten": FaultKind(
        does="a delete answers OK, and the message stays",
        operations={"sqs": frozenset({"DeleteMessage", "DeleteMessageBatch"})},
    ),
    "delivered twice": FaultKind(
        does="a delivered message comes once more, whether it is deleted or not",
        seconds=(0.0, 5.0),
        time_is="until it comes again",
        operations={"sqs": frozenset({"ReceiveMessage"})},
    ),
    "reordered": FaultKind(
        does="the queue gives its messages in another order",
        operations={"sqs": frozenset({"ReceiveMessage"})},
    ),
    "short poll blind": FaultKind(
        does="a receive that does not wait finds nothing, though there is something",
        operations={"sqs": frozenset({"ReceiveMessage"})},
    ),
    "reply late": FaultKind(
        does="the call has its effect, and its answer takes long",
        seconds=(0.1, 2.0),
        time_is="how much longer",
    ),
    "reply lost": FaultKind(
        does="the call has its effect, and the connection closes without an answer"
    ),
    "crash after": FaultKind(does="the call has its effect, and the calling process is killed"),
}
