"""Faults of SQS's calls that carry messages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from gridwell.local_stack.faults.batch_split import delayed, split_batch
from gridwell.local_stack.faults.kinds import SQS_BATCHES
from gridwell.local_stack.region import error_replies

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.local_stack.faults.aws_call import Call
    from gridwell.local_stack.faults.injector import Injector
    from gridwell.local_stack.faults.queue_control import Queues
    from gridwell.local_stack.region.error_replies import ErrorReply

_SENDS: Final = ("SendMessage", "SendMessageBatch")


class Messages:
    """Server of SQS's calls with the faults that are planned for their messages.

    Args:
        injector: decides what happens.
        queues: of the region.
    """

    def __init__(self, injector: Injector, queues: Queues) -> None:
        self._injector = injector
        self._queues = queues

    def serve(self, call: Call, pass_on: Callable[[Call], ErrorReply]) -> ErrorReply:
        """Return the reply to a call.

        Args:
            call: of SQS, in its JSON protocol.
            pass_on: serves a call by the region's API.
        """
        if self._queues.find(call.queue) is None:
            return pass_on(call)  # no queue, or one that keeps an order
        if call.operation == "ReceiveMessage":
            return self._receive(call, pass_on)
        if call.operation == "DeleteMessage" and self._strike("delete forgotten", call):
            return error_replies.of_json({})
        if call.operation in _SENDS:
            call = self._delayed(call)
        if call.operation in SQS_BATCHES and call.data.get("Entries"):
            return self._batch(call, pass_on)
        return pass_on(call)

    def _receive(self, call: Call, pass_on: Callable[[Call], ErrorReply]) -> ErrorReply:
        depth = self._queues.depth(call.queue)
        waits_not = call.data.get("WaitTimeSeconds") == 0
        if waits_not and depth and self._strike("short poll blind", call):
            return error_replies.of_json({})
        if depth > 1 and (strike := self._strike("reordered", call)):
            self._queues.shuffle(call.queue, strike.rng)
        reply = pass_on(call)
        for message in reply.data.get("Messages", ()) if reply.is_ok else ():
            if strike := self._strike("delivered twice", call):
                self._queues.deliver_again(call.queue, message["ReceiptHandle"], strike.seconds)
        return reply

    def _delayed(self, call: Call) -> Call:
        ids = [entry["Id"] for entry in call.data.get("Entries", [{"Id": ""}])]
        seconds = {
            entry: math.ceil(strike.seconds)
            for entry in ids
            if (strike := self._strike("delayed", call))
        }
        return call.changed(delayed(call.data, seconds)) if seconds else call

    def _batch(self, call: Call, pass_on: Callable[[Call], ErrorReply]) -> ErrorReply:
        ids = [entry["Id"] for entry in call.data["Entries"]]
        refused = {entry for entry in ids if self._strike("batch refused", call)}
        forgotten = {
            entry
            for entry in ids
            if call.operation == "DeleteMessageBatch"
            and entry not in refused
            and self._strike("delete forgotten", call)
        }
        if not refused and not forgotten:
            return pass_on(call)
        split = split_batch(call.data, refused=refused, forgotten=forgotten)
        answer: dict[str, Any] = {}
        if not split.is_empty:
            reply = pass_on(call.changed(split.data))
            if not reply.is_ok:
                return reply
            answer = reply.data
        return error_replies.of_json(split.amended(answer))

    def _strike(self, kind: str, call: Call) -> Any:
        return self._injector.strike(kind, call.fault_target, call.program)
