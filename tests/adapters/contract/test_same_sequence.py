"""Any story told to both job ledgers ends the same, word for word."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridwell.adapters.dynamodb.job_ledger import DynamoJobLedger
from gridwell.adapters.memory import MemoryLedger
from gridwell.engine.job import DEADLINE_SECONDS, JobError, JobState
from gridwell.kinds.grid.feasibility import NO_CANDIDATE_POINT
from gridwell.kinds.grid.job_view import register_of
from gridwell.kinds.grid.minimum import Minimum
from tests.harness.builders import NOW, a_job, a_problem, a_register

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.engine.ports import JobLedger
    from tests.adapters.conftest import Aws

#: What is done with a job of this client at this moment.
Step: TypeAlias = "Callable[[JobLedger, str, float], Any]"

PROBLEM = a_problem()
CHUNKS = 4
_clients = itertools.count()

attempts = st.sampled_from(["a" * 16, "a" * 16, "b" * 16])
chunks = st.integers(0, CHUNKS - 1)
bests = st.builds(Minimum, st.sampled_from([-1.5, -0.0, 0.0, 2.0]), st.integers(0, 3))
errors = st.sampled_from(
    [JobError("chunk_failed", "why"), JobError(NO_CANDIDATE_POINT, "why", permanent=True)]
)


@st.composite
def creations(draw: st.DrawFn) -> Step:
    attempt, state = draw(attempts), draw(st.sampled_from(["queued", "cancelled"]))
    seen = draw(st.none() | attempts)

    def create(ledger: JobLedger, client: str, now: float) -> Any:
        job = a_job(PROBLEM, client=client, attempt=attempt, state=JobState(state), created=now)
        replaces = None if seen is None else replace(job, attempt=seen)
        return ledger.create(job, replaces=replaces)

    return create


@st.composite
def merges(draw: st.DrawFn) -> Step:
    attempt, best = draw(attempts), draw(st.none() | bests)
    done = draw(st.frozensets(chunks, min_size=1))
    worker = draw(st.sampled_from(["v", "w"]))

    def merge(ledger: JobLedger, client: str, now: float) -> Any:
        job = a_job(PROBLEM, client=client).id
        return ledger.merge(job, attempt, done, a_register(best), worker=worker, now=now)

    return merge


@st.composite
def finishes(draw: st.DrawFn) -> Step:
    attempt, best = draw(attempts), draw(bests)
    return lambda ledger, client, now: ledger.finish(
        a_job(PROBLEM, client=client).id, attempt, register_of(best), now=now
    )


@st.composite
def failures(draw: st.DrawFn) -> Step:
    attempt, error = draw(attempts), draw(errors)
    unless_done, late = draw(st.none() | chunks), draw(st.booleans())
    return lambda ledger, client, now: ledger.fail(
        a_job(PROBLEM, client=client).id,
        attempt,
        error,
        now=now,
        unless_done=unless_done,
        past_deadline=late,
    )


@st.composite
def cancellations(draw: st.DrawFn) -> Step:
    attempt = draw(attempts)
    return lambda ledger, client, now: ledger.cancel(
        a_job(PROBLEM, client=client).id, attempt, now=now
    )


@st.composite
def sendings(draw: st.DrawFn) -> Step:
    attempt, again = draw(attempts), draw(st.booleans())

    def send(ledger: JobLedger, client: str, now: float) -> Any:
        job = a_job(PROBLEM, client=client).id
        if not again:
            return ledger.mark_sent(job, attempt, sent_at=now, resend_at=now + 120)
        stored = ledger.read(job)
        seen = None if stored is None else stored.resend_at
        return ledger.claim_resend(job, attempt, seen=seen, later=now + 60)

    return send


@st.composite
def restarts(draw: st.DrawFn) -> Step:
    attempt, fresh = draw(attempts), draw(attempts)
    return lambda ledger, client, now: ledger.restart(
        a_job(PROBLEM, client=client).id, attempt, fresh, now=now
    )


merging_everything: Step = lambda ledger, client, now: ledger.merge(  # noqa: E731 - a step as any
    a_job(PROBLEM, client=client).id,
    "a" * 16,
    frozenset(range(CHUNKS)),
    a_register(Minimum(-1.5, 0)),
    worker="u",
    now=now,
)
steps = st.one_of(
    creations(),
    merges(),
    finishes(),
    failures(),
    cancellations(),
    sendings(),
    st.just(merging_everything),
    restarts(),
)
#: Seconds between two steps: sometimes past the deadline, sometimes past a week.
pauses = st.sampled_from([0.5, 1.0, 1.25, DEADLINE_SECONDS, 8 * 86_400.0])


@pytest.fixture(scope="session")
def real(aws: Aws) -> DynamoJobLedger:
    return DynamoJobLedger(aws.clients["dynamodb"], aws.names["LedgerTable"])


@settings(max_examples=40)
@given(story=st.lists(st.tuples(steps, pauses), max_size=14))
def test_both_ledgers_tell_the_same_story(
    real: DynamoJobLedger, story: list[tuple[Step, float]]
) -> None:
    memory, client, now = MemoryLedger(), f"story-{next(_clients)}", NOW
    job = a_job(PROBLEM, client=client)
    assert real.create(job) == memory.create(job)

    for step, pause in story:
        now += pause
        assert step(real, client, now) == step(memory, client, now)
        assert real.read(job.id) == memory.read(job.id)

    assert (job.id in real.unfinished()) == (job.id in memory.unfinished())
    assert real.recent(client, limit=5) == memory.recent(client, limit=5)
