"""WSGI layer before the region's API that injects the planned faults."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from gridwell.local_stack.faults.aws_call import Call, read_call
from gridwell.local_stack.faults.batch_split import without_keys
from gridwell.local_stack.faults.ec2_faults import MUTE
from gridwell.local_stack.faults.kinds import KINDS
from gridwell.local_stack.faults.sqs_faults import Messages
from gridwell.local_stack.faults.stale_answers import StaleAnswers
from gridwell.local_stack.region import error_replies
from gridwell.local_stack.region.error_replies import ErrorReply
from gridwell.local_stack.region.http_server import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gridwell.local_stack.faults.calling_process import Callers
    from gridwell.local_stack.faults.ec2_faults import FaultyHost
    from gridwell.local_stack.faults.injector import Injector, Strike
    from gridwell.local_stack.faults.queue_control import Queues

logger = logging.getLogger(__name__)

LATE: Final = {
    "DescribeInstances": "describe late",
    "GetQueueAttributes": "count late",
    "Query": "index late",
}
BOOTS: Final = ("RunInstances", "StartInstances")
_AT: Final = {kind: (KINDS[kind].operations or {})["ec2"] for kind in error_replies.REFUSALS}


class FaultLayer:
    """The region's API with faults.

    Args:
        application: the region's API without faults.
        injector: selects the faults.
        callers: finds and kills the calling process.
        host: the EC2 host that the region's instances boot on.
        queues: of the region.
    """

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        *,
        injector: Injector,
        callers: Callers,
        host: FaultyHost,
        queues: Queues,
    ) -> None:
        self._application = application
        self._injector = injector
        self._callers = callers
        self._host = host
        self._messages = Messages(injector, queues)
        self._answers = StaleAnswers()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve a request (PEP 3333).

        Raises:
            Unanswered: the reply is lost.
        """
        self._injector.await_return()
        if self._injector.is_quiet:
            return self._application(environ, start_response)
        reply = self._serve(read_call(environ, self._callers))
        start_response(reply.status, reply.headers)
        return [reply.content]

    def _serve(self, call: Call) -> ErrorReply:
        if self._strikes_caller("crash before", call):
            self._crash(call)
        if self._strike("request lost", call):
            raise Unanswered
        refusal = self._refusal(call)
        reply = refusal or self._effect(call)
        if late := self._strike("reply late", call):
            time.sleep(late.seconds)
        # A refused call has no effect, so that its reply cannot be lost after the effect.
        if refusal is None and self._strikes_caller("crash after", call):
            self._crash(call)
        if refusal is None and self._strike("reply lost", call):
            raise Unanswered
        return reply

    def _refusal(self, call: Call) -> ErrorReply | None:
        if call.service and self._strike("throttled", call):
            return error_replies.throttled(call)
        if call.service and (broken := self._strike("server error", call)):
            return error_replies.server_error(call, broken.rng.random())
        if call.service and self._strike("access denied", call):
            return error_replies.access_denied(call)
        if call.operation in BOOTS and self._strike("no capacity", call):
            return error_replies.no_capacity(call)
        for kind in error_replies.REFUSALS:
            if call.operation in _AT[kind] and self._strike(kind, call):
                return error_replies.refused(call, kind)
        return None

    def _effect(self, call: Call) -> ErrorReply:
        if call.service == "sqs" and call.data and call.operation != "GetQueueAttributes":
            return self._messages.serve(call, self._pass_on)
        if call.service == "ec2" and call.operation in BOOTS:
            return self._boot(call)
        if call.operation == "BatchGetItem":
            return self._batch_get(call)
        return self._late(call) if call.operation in LATE else self._pass_on(call)

    def _boot(self, call: Call) -> ErrorReply:
        def ask() -> Strike | None:
            falls = call.operation == "StartInstances" and self._strike("start falls back", call)
            return falls or self._strike("boot hangs", call) or self._strike(MUTE, call)

        with self._host.asking(ask):
            return self._pass_on(call)

    def _late(self, call: Call) -> ErrorReply:
        """Return a current or a stale response."""
        if call.operation == "Query" and "IndexName" not in call.data:
            return self._pass_on(call)
        question, now = call.content, self._injector.clock()
        if self._answers.has(question) and (strike := self._strike(LATE[call.operation], call)):
            return self._answers.earlier(question, now, strike.seconds)
        reply = self._pass_on(call)
        if reply.is_ok:
            self._answers.note(question, now, reply)
        return reply

    def _batch_get(self, call: Call) -> ErrorReply:
        left_out = {
            (table, position)
            for table, request in call.data.get("RequestItems", {}).items()
            for position in range(len(request.get("Keys", ())))
            if self._strike("keys unprocessed", call)
        }
        if not left_out:
            return self._pass_on(call)
        data, unprocessed = without_keys(call.data, left_out)
        answer: dict[str, Any] = {"Responses": {}}
        if data["RequestItems"]:
            reply = self._pass_on(call.changed(data))
            if not reply.is_ok:
                return reply
            answer = reply.data
        return error_replies.of_json({**answer, "UnprocessedKeys": unprocessed})

    def _pass_on(self, call: Call) -> ErrorReply:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _: Any = None
        ) -> Callable[[bytes], None]:
            started.append((status, headers))
            return lambda _: None

        pieces: Any = self._application(call.environ, start_response)
        content = b"".join(pieces)
        if hasattr(pieces, "close"):
            pieces.close()
        status, headers = started[-1]
        return ErrorReply(status=status, headers=headers, content=content)

    def _strike(self, kind: str, call: Call) -> Strike | None:
        return self._injector.strike(kind, call.fault_target, call.program)

    def _strikes_caller(self, kind: str, call: Call) -> bool:
        """Return True if a fault kills the caller, which must be a program of this stack."""
        if not self._injector.plans(kind) or not self._callers.of(call.connection):
            return False
        return self._strike(kind, call) is not None

    def _crash(self, call: Call) -> None:
        program = call.program()
        for pid in self._callers.kill(call.connection):
            logger.warning(
                "killed %s (process %d) at %s %s",
                program,
                pid,
                call.service,
                call.operation,
                extra={"action": "fault.crash", "pid": pid, "operation": call.operation},
            )
        raise Unanswered
