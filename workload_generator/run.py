"""The run: threads that each post a request, wait for its answer, and take the next.

Nothing is verified here, so that what is measured is the service: see
`workload_generator.verdicts`.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from gridwell.engine.errors import ServiceError
from workload_generator.arrivals import Arrivals
from workload_generator.requests import Mix, Request, request
from workload_generator.service import RequestRefused, ServiceClient, ServiceReply

if TYPE_CHECKING:
    from collections.abc import Callable

_WAIT_SECONDS: Final = 20  #: asked for at a time: below what servers and proxies cut off


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """Result of one request, as the client received it."""

    request: Request
    seconds: float  #: from the POST to the answer
    job: dict[str, Any] | None = None  #: as last shown, where the service took it
    ended: bool = False  #: whether that job is done or failed
    from_cache: bool = False  #: whether it had ended before it was asked for
    refused: bool = False
    error: str = ""  #: why there is no answer: a word to count
    detail: str = ""  #: the same in a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRun:
    """Results of all requests."""

    outcomes: tuple[RunOutcome, ...]
    seconds: float  #: from the first POST to the last answer


def run(
    service: ServiceClient,
    mix: Mix,
    *,
    requests: int,
    concurrency: int,
    timeout: float,
    on_outcome: Callable[[], None] = lambda: None,
) -> LoadRun:
    """Post the requests of a mix and wait for all of their answers.

    Args:
        service: whom to ask.
        mix: what is asked.
        requests: how many.
        concurrency: how many at a time.
        timeout: seconds that one request may take.
        on_outcome: called after each one.
    """
    arrivals = Arrivals(requests)
    inbox: queue.SimpleQueue[RunOutcome | Exception] = queue.SimpleQueue()

    def client() -> None:
        try:
            while (place := arrivals.take()) is not None:
                inbox.put(ask(service, request(mix, place), timeout=timeout))
        except Exception as error:  # noqa: BLE001 - raised again below, in the thread that waits
            inbox.put(error)

    started = time.monotonic()
    for number in range(min(concurrency, requests)):
        # Daemons: Ctrl-C must not wait for answers that nobody wants any more.
        threading.Thread(target=client, name=f"client-{number}", daemon=True).start()
    outcomes = []
    try:
        for _ in range(requests):
            outcome = inbox.get()
            if isinstance(outcome, Exception):
                raise outcome
            outcomes.append(outcome)
            on_outcome()
    finally:
        arrivals.stop()
    return LoadRun(outcomes=tuple(outcomes), seconds=time.monotonic() - started)


def ask(service: ServiceClient, wanted: Request, *, timeout: float) -> RunOutcome:
    """Post one request and wait for its answer; what goes wrong is part of the outcome."""
    body = wanted.body()
    posted, started = time.time(), time.monotonic()
    reply: ServiceReply | None = None
    error = detail = ""
    refused = False
    from_cache = False
    try:
        reply = service.submit(body, wait=_wait(timeout))
        from_cache = reply.ended and _was_there(reply, posted)
        while not reply.ended:
            left = started + timeout - time.monotonic()
            if left <= 0:
                error, detail = "timeout", f"no answer within {timeout:g} s"
                break
            time.sleep(min(reply.pause, left))
            reply = service.read(reply.job["id"], wait=_wait(left))
    except RequestRefused as problem:
        refused, error, detail = True, problem.code, str(problem)
    except ServiceError as problem:
        error, detail = type(problem).__name__, str(problem)
    return RunOutcome(
        request=wanted,
        seconds=time.monotonic() - started,
        job=None if reply is None else reply.job,
        ended=reply is not None and reply.ended,
        from_cache=from_cache,
        refused=refused,
        error=error,
        detail=detail,
    )


def _wait(left: float) -> int:
    """Whole seconds to ask for where `left` remain."""
    return min(_WAIT_SECONDS, math.ceil(left))


def _was_there(reply: ServiceReply, posted: float) -> bool:
    """Return True if a job ended before it was posted, or was answered from a known answer.

    The POST waits, so that its status does not tell; the service's clock and ours are taken to
    agree, as they do on one machine and on AWS.
    """
    created, finished = reply.job.get("created"), reply.job.get("finished")
    try:
        return created == finished or datetime.fromisoformat(str(finished)).timestamp() < posted
    except ValueError as error:
        raise ServiceError(f"job {reply.job['id']} finished at {finished!r}: no time") from error
