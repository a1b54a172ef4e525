"""What must be true once the strikes are over and all has come to rest."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from gridwell.adapters.dynamodb.job_items import decode_job
from gridwell.engine.job import DEADLINE_EXCEEDED, Job, JobState
from gridwell.kinds.grid.job_view import grid_view

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.chaos.load import Load
    from tests.chaos.stack import Stack
    from tests.chaos.timeline import Timeline

#: Nothing has moved for so long: it never will.  The reconciler sends again what nobody has seen
#: for 660 s, and one more round and a boot may follow.
STUCK_SECONDS: Final = 780.0
#: From the last message on: idle polls, power off, and a machine that is slow.
LINGER_SECONDS: Final = 90.0
_LOOK_SECONDS: Final = 0.25


def await_answers(stack: Stack, load: Load, timeline: Timeline) -> None:
    """Wait for the clients; whoever waits while nothing moves any more has lost its job."""
    seen, moved = -1, time.monotonic()
    while load.waiting:
        stack.check()
        if load.answered != seen:
            seen, moved = load.answered, time.monotonic()
        for words in load.hanging():
            timeline.violation(words)
            return
        if time.monotonic() - moved > STUCK_SECONDS:
            timeline.violation(
                f"{load.waiting} clients wait, and nothing has moved for {STUCK_SECONDS:g} s"
            )
            return
        time.sleep(_LOOK_SECONDS)


def await_empty_queues(stack: Stack, timeline: Timeline) -> None:
    """Wait until no chunk and no result is queued or leased."""
    seen, moved = None, time.monotonic()
    while any(depths := _depths(stack)):
        stack.check()
        if depths != seen:
            seen, moved = depths, time.monotonic()
        if time.monotonic() - moved > LINGER_SECONDS:
            timeline.violation(f"messages stay in the queues: {depths}")
            return
        time.sleep(_LOOK_SECONDS)


def await_home(stack: Stack, timeline: Timeline) -> float:
    """Wait until no instance is on; the seconds that it took."""
    began = time.monotonic()
    while on := {n: s for n, s in stack.fleet().items() if s not in ("stopped", "terminated")}:
        stack.check()
        if time.monotonic() - began > LINGER_SECONDS:
            timeline.violation(f"nothing to do for {LINGER_SECONDS:g} s, and still on: {on}")
            break
        time.sleep(_LOOK_SECONDS)
    return time.monotonic() - began


def check_ledger(stack: Stack, load: Load, timeline: Timeline) -> Counter[str]:
    """Each accepted job has one end, the one that its client was told; how many ended how."""
    jobs = {job.id: job for job in _jobs(stack)}
    for job in jobs.values():
        for words in job_faults(job):
            timeline.violation(f"job {job.id}: {words}")
    for name, told in load.ended.items():
        if (kept := jobs.get(name)) is None:
            timeline.violation(f"job {name} was {told['state']}, and is not in the ledger")
        elif kept.state.value != told["state"] or _result(kept) != (told.get("result") or {}):
            timeline.violation(
                f"job {name} is {kept.state} with {_result(kept)} in the ledger, its client was "
                f"told {told['state']} with {told.get('result')}"
            )
    return Counter(
        job.state.value if job.error is None else f"{job.state}: {job.error.code}"
        for job in jobs.values()
    )


def check_dead_letters(stack: Stack, timeline: Timeline) -> int:
    """A dead letter is accounted for if the job that it is of has ended all the same."""
    jobs = {job.id: job for job in _jobs(stack)}
    found = 0
    for queue in ("DEAD_CHUNKS", "DEAD_RESULTS"):
        for body in _drained(stack, stack.queue_url(queue)):
            found += 1
            fields = json.loads(body)
            job = jobs.get(fields["job"])
            if job is None or not job.state.terminal:
                timeline.violation(f"a dead letter in {queue} of a job that has no end: {body}")
    return found


def job_faults(job: Job) -> Iterable[str]:
    """What is wrong with how a job ended, if it ended."""
    if not job.state.terminal:
        yield f"accepted, and {job.state} for ever; {len(job.done)} of {job.tasks} chunks"
    elif job.state is JobState.DONE:
        if not job.complete or job.result is None:
            yield f"done with {len(job.done)} of {job.tasks} chunks, {job.result}"
    elif job.error is None:
        yield f"{job.state} without a reason"
    elif job.error.code != DEADLINE_EXCEEDED or (job.finished or 0.0) < job.deadline:
        yield f"failed, which nothing explains: {job.error.code}: {job.error.detail}"


def _result(job: Job) -> dict[str, Any]:
    """The result as the interface shows it."""
    view = grid_view(job)
    if view.result is None:
        return {}
    index = view.grid.triple(view.result.index)
    return {
        "minimum": view.result.value,
        "index": list(index),
        "point": [view.grid.origin[k] + view.grid.spacing[k] * index[k] for k in range(3)],
    }


def _jobs(stack: Stack) -> list[Job]:
    pages = (
        stack.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=stack.running.environment["GRIDWELL_LEDGER_TABLE"], ConsistentRead=True)
    )
    return [
        decode_job(item)
        for page in pages
        for item in page["Items"]
        if item["pk"]["S"].startswith("job#")
    ]


def _depths(stack: Stack) -> tuple[int, ...]:
    """Visible and leased messages of both queues."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    depths: list[int] = []
    for queue in ("CHUNKS", "RESULTS"):
        try:
            reply = stack.client("sqs").get_queue_attributes(
                QueueUrl=stack.queue_url(queue), AttributeNames=names
            )
        except (BotoCoreError, ClientError):
            return (-1,)  # the region is slow to come back: not known, not empty
        depths += [int(reply["Attributes"][name]) for name in names]
    return tuple(depths)


def _drained(stack: Stack, url: str) -> list[str]:
    sqs, bodies = stack.client("sqs"), []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies
