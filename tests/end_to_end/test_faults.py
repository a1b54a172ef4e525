"""A bad day on real processes."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests

from gridwell.engine.object_keys import problem_object
from gridwell.local_stack.faults.plan import FaultPlan, PlannedFault
from gridwell.local_stack.faults.presets import PRESETS
from tests.chaos.stack import queue_url, region_client
from tests.harness.grid_requests import read_job
from tests.harness.waiting import DEADLINE, await_true

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.conftest import Stack

pytestmark = pytest.mark.timeout(300)

LEASING: Final = frozenset({"request lost", "reply lost", "reply late"})
#: Where a reply may get lost.  That of a receive may not: its messages are leased for a minute
#: then, which is as it should be and longer than a test may take.
ELSEWHERE: Final = (
    ("dynamodb", None),
    ("s3", None),
    ("sqs", "SendMessageBatch"),
    ("sqs", "DeleteMessageBatch"),
)


def mild_without_lost_leases() -> FaultPlan:
    faults = [fault for fault in PRESETS["mild"].faults if fault.kind not in LEASING]
    faults += [
        replace(fault, service=service, operation=operation)
        for fault in PRESETS["mild"].faults
        if fault.kind in LEASING
        for service, operation in ELSEWHERE
    ]
    return FaultPlan(seed=1, faults=tuple(faults))


@contextmanager
def leased_for(stack: Stack, queue: str, seconds: int) -> Iterator[None]:
    """Let what a killed program had received come back sooner than in a minute."""
    sqs = region_client(stack.running, "sqs")
    url = queue_url(stack.running, queue)
    wanted = ["VisibilityTimeout"]
    usual = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=usual)


def test_on_a_bad_day_every_answer_is_still_exact(stack: Stack, tmp_path: Path) -> None:
    stack.await_home()

    with stack.faults(mild_without_lost_leases()) as remote:
        told = stack.load(
            tmp_path / "report.json",
            *("--requests=40", "--concurrency=32", "--grid-size=4,8,12,16"),
            *("--atoms=20,50,100,500", "--seed=11"),
        )
        injected = remote.injected()

    assert told["verified"] == 40
    assert len(injected) >= 6, injected
    assert sum(injected.values()) >= 30, injected


def test_a_program_can_be_killed_exactly_after_its_call(stack: Stack, tmp_path: Path) -> None:
    crash = PlannedFault(
        kind="crash after",
        service="dynamodb",
        operation="UpdateItem",
        program="web_tier collect",
        nth=1,
        times=1,
    )
    killed = stack.family.named("web_tier", "collect")

    with (
        leased_for(stack, "RESULTS", 5),
        stack.faults(FaultPlan(seed=1, faults=(crash,))) as remote,
    ):
        told = stack.load(
            tmp_path / "report.json",
            *("--requests=2", "--grid-size=4", "--atoms=20", "--seed=12"),
        )
        assert remote.injected() == {"crash after": 1}

    assert told["verified"] == 2
    await_true(lambda: stack.family.named("web_tier", "collect") not in ([], killed))


def test_a_denied_object_fails_its_own_job_and_ends_no_program(stack: Stack) -> None:
    wanted = {"grid_size": 6, "atom_count": 20, "seed": 4711}
    sha = read_job(json.dumps(wanted).encode()).problem.sha
    denied = PlannedFault(
        kind="access denied",
        service="s3",
        operation="GetObject",
        resource=problem_object(sha),
        probability=1,
    )
    collectors = stack.family.named("web_tier", "collect")

    with stack.faults(FaultPlan(seed=1, faults=(denied,))) as remote:
        bad = submitted(stack, wanted)
        good = submitted(stack, {**wanted, "seed": 4712})
        await_true(lambda: shown(stack, good)["state"] == "done")
        await_true(lambda: shown(stack, bad)["state"] == "failed")
        atoms = requests.get(f"{stack.url}/v1/jobs/{bad}/atoms", timeout=DEADLINE)
        assert remote.injected()["access denied"] >= 4

    assert shown(stack, bad)["error"]["code"] == "storage_denied"
    assert problem_object(sha) in shown(stack, bad)["error"]["detail"]
    assert (atoms.status_code, atoms.json()["code"]) == (503, "storage_denied")
    assert stack.family.named("web_tier", "collect") == collectors


def submitted(stack: Stack, wanted: dict[str, Any]) -> str:
    """The id of a job."""
    reply = requests.post(f"{stack.url}/v1/jobs", json=wanted, timeout=DEADLINE)
    return str(reply.json()["id"])


def shown(stack: Stack, job: str) -> dict[str, Any]:
    """A job as it is now."""
    found: dict[str, Any] = requests.get(f"{stack.url}/v1/jobs/{job}", timeout=DEADLINE).json()
    return found
