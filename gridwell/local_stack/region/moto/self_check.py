"""Check at start-up that the patches of moto's SQS are in effect.

The patches of `sqs` replace internals of moto.  If one had no effect, a job could be computed
twice.  So the region exercises them at each start, which takes tens of milliseconds, and refuses
to serve if they are not in effect.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from moto.sqs import models as _models

models: Any = _models

DEPTH = 1000  #: at which stock moto needs half a second for one receive
SEND_LIMIT_SECONDS = 1.0  #: for all of them; patched, they take a hundredth of it
RECEIVE_LIMIT_SECONDS = 0.050
RECEIVERS = 4
_ACCOUNT, _REGION = "000000000000", "us-east-1"


def self_check() -> None:
    """Fill a queue of a private backend, drain it from several threads, and count.

    Raises:
        RuntimeError: a receive was slow at depth, or a message was lost, doubled or came back.
    """
    backend = models.SQSBackend(_REGION, _ACCOUNT)
    backend.create_queue("self-check", VisibilityTimeout="600")
    # CPU time of this thread: a busy machine is no reason to refuse.
    started = time.thread_time()
    for number in range(DEPTH):
        backend.send_message("self-check", str(number))
        if time.thread_time() - started > SEND_LIMIT_SECONDS:
            raise RuntimeError(
                f"moto's SQS needs more than {SEND_LIMIT_SECONDS:g} s to send {number} messages:"
                " its patches did not take; call moto_sqs.install() first"
            )
    started = time.thread_time()
    first = backend.receive_message("self-check", 10, 0, 600)
    seconds = time.thread_time() - started
    if seconds > RECEIVE_LIMIT_SECONDS:
        raise RuntimeError(
            f"moto's SQS needs {seconds * 1000:.0f} ms to receive ten messages at a depth of"
            f" {DEPTH} (limit {RECEIVE_LIMIT_SECONDS * 1000:.0f}): its patches did not take;"
            " call moto_sqs.install() first"
        )
    bodies = [m.body for m in first] + _drained_by_threads(backend)
    for message in first:
        backend.delete_message("self-check", message.receipt_handle)
    left = len(backend.get_queue("self-check")._messages)  # noqa: SLF001 - moto's own list
    if sorted(bodies, key=int) != [str(number) for number in range(DEPTH)] or left:
        raise RuntimeError(
            f"moto's SQS is not safe under threads: of {DEPTH} messages {len(set(bodies))} were"
            f" delivered, {len(bodies) - len(set(bodies))} of them twice, and {left} are still"
            " there after all were deleted; call moto_sqs.install() first"
        )


def _drained_by_threads(backend: Any) -> list[str]:
    bodies: list[str] = []
    faults: list[Exception] = []

    def drain() -> None:
        try:
            while messages := backend.receive_message("self-check", 10, 0, 600):
                bodies.extend(message.body for message in messages)
                for message in messages:
                    backend.delete_message("self-check", message.receipt_handle)
        except Exception as error:  # noqa: BLE001 - handed to the caller below
            faults.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # stock moto loses this race at once, and not only on bad days
    try:
        threads = [threading.Thread(target=drain) for _ in range(RECEIVERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    if faults:
        raise RuntimeError("moto's SQS fails under threads: call moto_sqs.install()") from faults[0]
    return bodies
