from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gridwell.access.secret import SECRET_BYTES
from gridwell.adapters.dynamodb.job_ledger import DynamoJobLedger
from gridwell.adapters.memory import MemoryLedger
from gridwell.engine.errors import InvalidJob, InvalidMessage, ServiceBusy, ServiceDenied
from gridwell.engine.job import CHUNK_FAILED, KEPT_SECONDS, Job, JobError, JobState, credit
from gridwell.engine.register import Best
from gridwell.engine.replica import Replica
from gridwell.engine.task_failure import ChunkFailure, failure_of
from gridwell.kinds.grid.feasibility import NO_CANDIDATE_POINT
from gridwell.kinds.grid.job_view import grid_view, register_of
from gridwell.kinds.grid.minimum import Minimum
from tests.harness.builders import (
    ATTEMPT,
    NOW,
    OTHER_ATTEMPT,
    a_job,
    a_problem,
    a_register,
    an_error,
)
from tests.harness.faulty_port import Lossy
from tests.harness.threads import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.engine.ports import JobLedger
    from tests.adapters.conftest import Aws

PROBLEM = a_problem()
ERROR = JobError(CHUNK_FAILED, "chunk 3 failed")
_clients = itertools.count()


@pytest.fixture(scope="session")
def ledger(backend: str, request: pytest.FixtureRequest) -> JobLedger:
    if backend == "memory":
        return MemoryLedger()
    aws: Aws = request.getfixturevalue("aws")
    return DynamoJobLedger(aws.clients["dynamodb"], aws.names["LedgerTable"])


def fresh_job(**changes: Any) -> Job:
    """A job that no other test has: each is another client's."""
    return a_job(PROBLEM, **{"client": f"client-{next(_clients)}", **changes})


@pytest.fixture
def job(ledger: JobLedger) -> Job:
    """A stored job of 4 chunks."""
    job = fresh_job()
    assert ledger.create(job)
    return job


def merge(
    ledger: JobLedger,
    job: Job,
    *chunks: int,
    best: Minimum | None = None,
    attempt: str = ATTEMPT,
    worker: str = "w",
    now: float = NOW + 1,
) -> Job | None:
    return ledger.merge(
        job.id, attempt, frozenset(chunks), a_register(best), worker=worker, now=now
    )


# --- create and read


def test_a_created_job_is_read_as_it_was(ledger: JobLedger, job: Job) -> None:
    assert ledger.read(job.id) == job


def test_a_job_that_never_was_is_none(ledger: JobLedger) -> None:
    assert ledger.read(fresh_job().id) is None


def test_a_second_submitter_is_refused_and_a_repeated_put_is_not(
    ledger: JobLedger, job: Job
) -> None:
    assert ledger.create(job)
    assert not ledger.create(replace(job, attempt=OTHER_ATTEMPT))
    assert ledger.read(job.id) == job


def test_a_put_that_recognises_itself_does_not_undo_what_came_after(
    ledger: JobLedger, job: Job
) -> None:
    merged = merge(ledger, job, 1)

    assert ledger.create(job)
    assert ledger.read(job.id) == merged


RENEWABLE: dict[str, dict[str, Any]] = {
    "cancelled": {"state": JobState.CANCELLED},
    "failed": {"state": JobState.FAILED, "error": ERROR},
    "failed untold": {"state": JobState.FAILED},
    "expired": {"state": JobState.DONE, "expires": NOW + 9},
    "expired without hope": {
        "state": JobState.FAILED,
        "error": JobError(NO_CANDIDATE_POINT, "none", permanent=True),
        "expires": NOW + 9,
    },
}
LASTING: dict[str, dict[str, Any]] = {
    "queued": {"state": JobState.QUEUED},
    "running": {"state": JobState.RUNNING, "done": frozenset({1})},
    "done": {"state": JobState.DONE, "expires": NOW + 11},
    "without hope": {
        "state": JobState.FAILED,
        "error": JobError(NO_CANDIDATE_POINT, "none", permanent=True),
    },
    "just not expired": {"state": JobState.DONE, "expires": NOW + 10},
}


@pytest.mark.parametrize("case", RENEWABLE)
def test_a_renewable_job_is_replaced_by_a_new_attempt(ledger: JobLedger, case: str) -> None:
    old = fresh_job(**RENEWABLE[case])
    ledger.create(old)
    new = replace(fresh_job(client=old.client), attempt=OTHER_ATTEMPT, run=2, created=NOW + 10)
    assert not ledger.create(new)

    assert ledger.create(new, replaces=old)
    assert ledger.create(new, replaces=old)  # a lost reply
    assert ledger.read(old.id) == new


@pytest.mark.parametrize("case", LASTING)
def test_a_lasting_job_is_never_replaced(ledger: JobLedger, case: str) -> None:
    old = fresh_job(**LASTING[case])
    ledger.create(old)
    new = replace(fresh_job(client=old.client), attempt=OTHER_ATTEMPT, created=NOW + 10)

    assert not ledger.create(new, replaces=old)
    assert ledger.read(old.id) == old


def test_only_the_attempt_that_was_seen_is_replaced(ledger: JobLedger) -> None:
    first = fresh_job(state=JobState.CANCELLED)
    ledger.create(first)
    second = replace(first, attempt=OTHER_ATTEMPT)
    assert ledger.create(second, replaces=first)

    assert not ledger.create(replace(first, attempt="c" * 16), replaces=first)
    assert ledger.read(first.id) == second


def test_of_racing_submitters_one_wins(ledger: JobLedger) -> None:
    job = fresh_job()
    attempts = [f"{number:016x}" for number in range(24)]

    won = at_once([lambda a=a: ledger.create(replace(job, attempt=a)) for a in attempts])  # type: ignore[misc]

    stored = ledger.read(job.id)
    assert stored is not None
    assert [a for a, w in zip(attempts, won, strict=True) if w] == [stored.attempt]


def test_many_jobs_are_read_at_once_and_the_missing_are_left_out(ledger: JobLedger) -> None:
    jobs = [fresh_job() for _ in range(120)]
    at_once([lambda j=j: ledger.create(j) for j in jobs])  # type: ignore[misc]
    ids = [job.id for job in jobs]

    found = ledger.read_many([*ids, fresh_job().id, ids[0]])

    assert found == {job.id: job for job in jobs}
    assert ledger.read_many([]) == {}


# --- sent and sent again


def test_the_first_record_of_sending_stays(ledger: JobLedger, job: Job) -> None:
    ledger.mark_sent(job.id, ATTEMPT, sent_at=NOW + 1.5, resend_at=NOW + 120.25)
    ledger.mark_sent(job.id, ATTEMPT, sent_at=NOW + 2, resend_at=NOW + 999)
    ledger.mark_sent(fresh_job().id, ATTEMPT, sent_at=NOW, resend_at=NOW)

    assert ledger.read(job.id) == replace(job, sent_at=NOW + 1.5, resend_at=NOW + 120.25)


def test_another_attempt_s_sending_is_not_recorded(ledger: JobLedger, job: Job) -> None:
    ledger.mark_sent(job.id, OTHER_ATTEMPT, sent_at=NOW, resend_at=NOW)

    assert ledger.read(job.id) == job


def test_the_right_to_send_again_is_won_once(ledger: JobLedger, job: Job) -> None:
    assert ledger.claim_resend(job.id, ATTEMPT, seen=None, later=NOW + 15.5)
    assert not ledger.claim_resend(job.id, ATTEMPT, seen=None, later=NOW + 99)
    assert not ledger.claim_resend(job.id, OTHER_ATTEMPT, seen=NOW + 15.5, later=NOW + 99)
    won = at_once(
        [lambda: ledger.claim_resend(job.id, ATTEMPT, seen=NOW + 15.5, later=NOW + 99)] * 8
    )

    assert won.count(True) == 1
    assert ledger.read(job.id) == replace(job, resend_at=NOW + 99, resends=2)


def test_a_finished_job_is_not_sent_again(ledger: JobLedger, job: Job) -> None:
    ledger.fail(job.id, ATTEMPT, ERROR, now=NOW)

    assert not ledger.claim_resend(job.id, ATTEMPT, seen=None, later=NOW + 1)


# --- merge


def test_the_first_merge_sets_a_job_running(ledger: JobLedger, job: Job) -> None:
    best = Minimum(-1.5, 7)

    merged = merge(ledger, job, 0, 2, best=best, worker="w-1", now=NOW + 3.125)

    assert merged == ledger.read(job.id)
    assert merged == replace(
        job,
        state=JobState.RUNNING,
        done=frozenset({0, 2}),
        best=replace(register_of(best), by="w-1"),
        workers=frozenset({"w-1"}),
        credits=frozenset({credit(0, "w-1"), credit(2, "w-1")}),
        moved=NOW + 3.125,
    )


def test_only_a_lesser_minimum_takes_the_place_of_the_best(ledger: JobLedger, job: Job) -> None:
    merge(ledger, job, 0, best=Minimum(-1.0, 7), worker="first")
    for best in (Minimum(-1.0, 7), Minimum(-1.0, 8), Minimum(-0.5, 0), Minimum(1e200, 0), None):
        merged = merge(ledger, job, 1, best=best, worker="later")
        assert merged is not None
        assert merged.best == Best(Minimum(-1.0, 7).key(), by="first")

    merged = merge(ledger, job, 2, best=Minimum(-1.0, 6), worker="last")

    assert merged is not None
    assert merged.best == Best(Minimum(-1.0, 6).key(), by="last")
    assert merged.done == {0, 1, 2}
    assert merged.workers == {"first", "later", "last"}


def test_chunks_without_a_point_are_merged_too(ledger: JobLedger, job: Job) -> None:
    merged = merge(ledger, job, 0, 1, 2, 3)

    assert merged is not None
    assert merged.complete
    assert merged.best is None


def test_results_of_another_attempt_or_job_are_dropped(ledger: JobLedger, job: Job) -> None:
    assert merge(ledger, job, 0, best=Minimum(-9.0, 0), attempt=OTHER_ATTEMPT) is None
    assert merge(ledger, job, 0, attempt=OTHER_ATTEMPT) is None
    assert merge(ledger, fresh_job(), 0, best=Minimum(-9.0, 0)) is None
    assert merge(ledger, fresh_job(), 0) is None

    assert ledger.read(job.id) == job


def test_a_job_that_has_ended_takes_no_more_results(ledger: JobLedger, job: Job) -> None:
    ledger.fail(job.id, ATTEMPT, ERROR, now=NOW)
    failed = ledger.read(job.id)

    assert merge(ledger, job, 0, best=Minimum(-9.0, 0)) is None
    assert merge(ledger, job, 0) is None
    assert ledger.read(job.id) == failed


def test_a_hundred_racing_merges_lose_nothing(ledger: JobLedger) -> None:
    job = fresh_job(tasks=64)
    ledger.create(job)
    bests = {chunk: Minimum(float((chunk * 37) % 64), chunk) for chunk in range(64)}
    chunks = [*range(64), *range(36)]  # some twice

    at_once(
        [
            lambda c=c: merge(ledger, job, c, best=bests[c], worker=f"w-{c % 5}")  # type: ignore[misc]
            for c in chunks
        ]
    )

    merged = ledger.read(job.id)
    assert merged is not None
    assert merged.complete
    assert merged.best == Best(Minimum(0.0, 0).key(), by="w-0")
    assert merged.workers == {f"w-{number}" for number in range(5)}


# --- finish and fail


def complete(ledger: JobLedger, job: Job) -> Minimum:
    best = Minimum(-2.5, 3)
    merge(ledger, job, 0, 1, 2, 3, best=best)
    return best


def test_a_complete_job_is_finished_with_its_result(ledger: JobLedger, job: Job) -> None:
    best = complete(ledger, job)

    assert ledger.finish(job.id, ATTEMPT, register_of(best), now=NOW + 5.5)

    done = ledger.read(job.id)
    assert done is not None
    assert (done.state, grid_view(done).result, done.finished) == (JobState.DONE, best, NOW + 5.5)
    assert done.expires == NOW + 6 + KEPT_SECONDS


def test_a_payload_is_kept_in_its_order_with_the_key_that_it_came_with(
    ledger: JobLedger, job: Job
) -> None:
    all_tasks, payload = frozenset(range(job.tasks)), ("b", "z", "a")
    least, same_key, greater = Best("b", payload), Best("b", ("b",)), Best("c", ("c", "d"))

    for best in (least, least, same_key, greater):
        merged = ledger.merge(job.id, ATTEMPT, all_tasks, best, worker="w-1", now=NOW)
        assert merged is not None
        assert merged.best == Best("b", payload, "w-1")
    assert ledger.finish(job.id, ATTEMPT, Best("b", payload, "w-9"), now=NOW + 1)

    done = ledger.read(job.id)
    assert done is not None
    assert (done.state, done.result) == (JobState.DONE, Best("b", payload))
    assert done.best == Best("b", payload, "w-1")


def test_a_result_without_a_payload_leaves_the_merged_one(ledger: JobLedger, job: Job) -> None:
    all_tasks = frozenset(range(job.tasks))
    ledger.merge(job.id, ATTEMPT, all_tasks, Best("b", ("b", "c")), worker="w", now=NOW)

    assert ledger.finish(job.id, ATTEMPT, Best("b"), now=NOW + 1)

    done = ledger.read(job.id)
    assert done is not None
    assert done.result == Best("b", ("b", "c"))


def test_finishing_twice_is_true_with_this_result_alone(ledger: JobLedger, job: Job) -> None:
    best = complete(ledger, job)
    ledger.finish(job.id, ATTEMPT, register_of(best), now=NOW + 5)

    assert ledger.finish(job.id, ATTEMPT, register_of(best), now=NOW + 6)
    assert not ledger.finish(job.id, ATTEMPT, register_of(Minimum(-2.5, 4)), now=NOW + 7)
    done = ledger.read(job.id)
    assert done is not None
    assert done.finished == NOW + 5


def test_an_incomplete_job_cannot_be_finished(ledger: JobLedger, job: Job) -> None:
    best = Minimum(-1.0, 1)
    assert not ledger.finish(
        job.id, ATTEMPT, register_of(best), now=NOW
    )  # queued: nothing merged at all
    merged = merge(ledger, job, 0, 1, 2, best=best)

    assert not ledger.finish(job.id, ATTEMPT, register_of(best), now=NOW)
    assert ledger.read(job.id) == merged


def test_another_attempt_or_job_cannot_be_finished(ledger: JobLedger, job: Job) -> None:
    best = complete(ledger, job)

    assert not ledger.finish(job.id, OTHER_ATTEMPT, register_of(best), now=NOW)
    assert not ledger.finish(fresh_job().id, ATTEMPT, register_of(best), now=NOW)


def test_a_job_that_fails_keeps_why_and_what_was_done(ledger: JobLedger, job: Job) -> None:
    merged = merge(ledger, job, 1, best=Minimum(-1.0, 1))
    assert merged is not None

    assert ledger.fail(job.id, ATTEMPT, ERROR, now=NOW + 5)

    assert ledger.read(job.id) == replace(
        merged,
        state=JobState.FAILED,
        error=ERROR,
        finished=NOW + 5,
        expires=NOW + 5 + KEPT_SECONDS,
    )


def test_a_job_fails_once_and_only_its_own_try_is_told_so(ledger: JobLedger, job: Job) -> None:
    ledger.fail(job.id, ATTEMPT, ERROR, now=NOW + 5)

    assert ledger.fail(job.id, ATTEMPT, ERROR, now=NOW + 5)  # the same call after a lost reply
    assert not ledger.fail(job.id, ATTEMPT, ERROR, now=NOW + 6)
    assert not ledger.fail(job.id, ATTEMPT, JobError("other", "reason"), now=NOW + 5)
    assert not ledger.fail(job.id, OTHER_ATTEMPT, ERROR, now=NOW + 5)
    assert not ledger.fail(fresh_job().id, ATTEMPT, ERROR, now=NOW + 5)


def test_a_done_job_does_not_fail(ledger: JobLedger, job: Job) -> None:
    ledger.finish(job.id, ATTEMPT, register_of(complete(ledger, job)), now=NOW + 5)

    assert not ledger.fail(job.id, ATTEMPT, ERROR, now=NOW + 5)


def test_a_chunk_that_was_merged_after_all_fails_no_job(ledger: JobLedger, job: Job) -> None:
    merge(ledger, job, 3)

    assert not ledger.fail(job.id, ATTEMPT, ERROR, now=NOW, unless_done=3)
    assert ledger.fail(job.id, ATTEMPT, ERROR, now=NOW, unless_done=2)


def test_before_any_merge_no_chunk_is_done(ledger: JobLedger, job: Job) -> None:
    assert ledger.fail(job.id, ATTEMPT, ERROR, now=NOW, unless_done=0)


def test_a_job_is_late_only_past_its_deadline(ledger: JobLedger, job: Job) -> None:
    late = JobError("deadline_exceeded", "late")

    assert not ledger.fail(job.id, ATTEMPT, late, now=job.deadline, past_deadline=True)
    assert ledger.fail(job.id, ATTEMPT, late, now=job.deadline + 0.25, past_deadline=True)


def test_a_cancelled_job_keeps_what_was_done_and_ends_once(ledger: JobLedger, job: Job) -> None:
    merged = merge(ledger, job, 1, best=Minimum(-1.0, 1))
    assert merged is not None

    assert ledger.cancel(job.id, ATTEMPT, now=NOW + 5)
    assert ledger.cancel(job.id, ATTEMPT, now=NOW + 6)  # again, or after a lost reply

    assert ledger.read(job.id) == replace(
        merged, state=JobState.CANCELLED, finished=NOW + 5, expires=NOW + 5 + KEPT_SECONDS
    )
    assert job.id not in ledger.unfinished()
    assert not ledger.fail(job.id, ATTEMPT, ERROR, now=NOW + 7)
    assert merge(ledger, job, 2) is None


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED])
def test_an_ended_job_is_not_cancelled(ledger: JobLedger, state: JobState) -> None:
    job = fresh_job(state=state)
    ledger.create(job)

    assert not ledger.cancel(job.id, ATTEMPT, now=NOW)
    assert ledger.read(job.id) == job


def test_another_attempt_or_job_is_not_cancelled(ledger: JobLedger, job: Job) -> None:
    assert not ledger.cancel(job.id, OTHER_ATTEMPT, now=NOW)
    assert not ledger.cancel(fresh_job().id, ATTEMPT, now=NOW)
    assert ledger.read(job.id) == job


def test_of_racing_ends_one_wins(ledger: JobLedger, job: Job) -> None:
    best = complete(ledger, job)
    ends: list[Callable[[], bool]] = [
        *[lambda: ledger.finish(job.id, ATTEMPT, register_of(best), now=NOW + 5)] * 4,
        *[lambda: ledger.fail(job.id, ATTEMPT, ERROR, now=NOW + 5)] * 4,
        *[lambda: ledger.cancel(job.id, ATTEMPT, now=NOW + 5)] * 4,
    ]

    won = at_once(ends)

    ended = ledger.read(job.id)
    assert ended is not None
    states = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
    assert won == [ended.state is state for state in states for _ in range(4)]
    assert (ended.result is not None) == (ended.state is JobState.DONE)
    assert (ended.error is not None) == (ended.state is JobState.FAILED)


# --- failed tries of chunks


def a_try(job: Job, number: int, /, **changes: Any) -> ChunkFailure:
    message = an_error(job, 3, receives=number, **changes)
    return failure_of(message, NOW + number + 0.25)


def test_of_a_chunk_that_never_failed_nothing_is_kept(ledger: JobLedger, job: Job) -> None:
    assert ledger.read_failure(job.id, ATTEMPT, 3) is None


def test_failed_tries_add_up_and_the_last_one_speaks(ledger: JobLedger, job: Job) -> None:
    told = [
        a_try(job, 1),
        a_try(job, 2),
        a_try(job, 3, code="raised", text="\N{SNOWMAN}" * 500),
        a_try(job, 4, code="raised", text="\N{SNOWMAN}" * 500, worker="w-2"),
        a_try(job, 4, code="raised", text="\N{SNOWMAN}" * 500, worker="w-2"),  # told twice
        a_try(job, 5, text="other"),
    ]
    expected: ChunkFailure | None = None
    for each in told:
        expected = each.after(expected)
        assert ledger.record_failure(each) == expected
        assert ledger.read_failure(job.id, ATTEMPT, 3) == expected
    assert expected is not None
    assert expected.tries == {1, 2, 3, 4, 5}
    assert expected.alike == {5}


def test_each_chunk_of_each_attempt_has_its_own_failures(ledger: JobLedger, job: Job) -> None:
    ledger.record_failure(a_try(job, 1))

    assert ledger.read_failure(job.id, ATTEMPT, 2) is None
    assert ledger.read_failure(job.id, OTHER_ATTEMPT, 3) is None
    assert ledger.read(job.id) == job


def test_racing_reports_lose_no_try(ledger: JobLedger, job: Job) -> None:
    texts = ("one", "two")
    tries = [a_try(job, n, text=texts[n % 2]) for n in range(1, 9)]

    def report(each: ChunkFailure) -> Callable[[], object]:
        return lambda: ledger.record_failure(each)

    at_once([report(each) for each in tries])

    kept = ledger.read_failure(job.id, ATTEMPT, 3)
    assert kept is not None
    assert kept.tries == set(range(1, 9))
    assert kept.alike


# --- how far series are


def test_of_a_series_the_most_that_was_told_is_known_and_the_job_is_as_it_was(
    ledger: JobLedger, job: Job
) -> None:
    other = fresh_job()
    attempts = {job.id: ATTEMPT, other.id: ATTEMPT}
    assert ledger.read_progress(attempts) == {}

    for found, known in ((2, 2), (3, 3), (3, 3), (1, 3)):
        ledger.report_progress(job.id, ATTEMPT, found, now=NOW + found)
        assert ledger.read_progress(attempts) == {job.id: known}

    ledger.report_progress(other.id, ATTEMPT, 5, now=NOW)
    assert ledger.read_progress(attempts) == {job.id: 3, other.id: 5}
    assert ledger.read(job.id) == job
    assert ledger.read(other.id) is None


def test_each_attempt_at_a_series_begins_with_nothing_found(ledger: JobLedger, job: Job) -> None:
    ledger.report_progress(job.id, ATTEMPT, 2, now=NOW)

    assert ledger.read_progress({job.id: OTHER_ATTEMPT}) == {}


# --- lists


def test_unfinished_jobs_are_listed_until_they_end(ledger: JobLedger) -> None:
    queued, running, failed, done = jobs = [fresh_job() for _ in range(4)]
    answered = fresh_job(state=JobState.DONE, result=register_of(Minimum(1.0, 1)))
    for job in (*jobs, answered):
        ledger.create(job)
    merge(ledger, running, 0)
    ledger.fail(failed.id, ATTEMPT, ERROR, now=NOW)
    ledger.finish(done.id, ATTEMPT, register_of(complete(ledger, done)), now=NOW)

    listed = ledger.unfinished()

    assert {queued.id, running.id} <= set(listed)
    assert not {failed.id, done.id, answered.id} & set(listed)
    assert len(listed) == len(set(listed))


def test_a_clients_unfinished_jobs_are_counted_apart_from_others(ledger: JobLedger) -> None:
    client = f"client-{next(_clients)}"
    jobs = [a_job(a_problem(min_distance=number / 8), client=client) for number in range(3)]
    for one in (*jobs, a_job(a_problem(), client=f"{client}-other")):
        assert ledger.create(one)

    assert ledger.count_unfinished(client) == 3
    ledger.fail(jobs[0].id, jobs[0].attempt, JobError("gone", "for a test"), now=NOW)
    assert ledger.count_unfinished(client) == 2
    assert ledger.count_unfinished(f"{client}-nobody") == 0


def test_a_renewed_job_is_unfinished_again(ledger: JobLedger, job: Job) -> None:
    ledger.fail(job.id, ATTEMPT, ERROR, now=NOW)
    assert job.id not in ledger.unfinished()

    ledger.create(replace(job, attempt=OTHER_ATTEMPT), replaces=job)

    assert job.id in ledger.unfinished()


def test_pages_follow_each_other_from_the_newest_without_gap_or_overlap(
    ledger: JobLedger,
) -> None:
    client = fresh_job().client
    jobs = [
        a_job(a_problem(seed=seed), client=client, created=NOW + seed * 0.5) for seed in range(7)
    ]
    for job in (jobs[3], jobs[0], *jobs[1:3], *jobs[4:], fresh_job()):
        ledger.create(job)

    pages, cursor = [], None
    while True:
        page = ledger.recent(client, limit=3, cursor=cursor)
        pages.append(page.jobs)
        cursor = page.cursor
        if cursor is None:
            break

    newest = list(reversed(jobs))
    assert [list(page) for page in pages] == [newest[:3], newest[3:6], newest[6:]]


def test_a_full_last_page_has_no_next_one(ledger: JobLedger, job: Job) -> None:
    page = ledger.recent(job.client, limit=1)

    assert page.jobs == (job,)
    assert page.cursor is None
    assert ledger.recent("nobody", limit=5).jobs == ()


def test_a_list_shows_jobs_as_they_are_now(ledger: JobLedger, job: Job) -> None:
    merged = merge(ledger, job, 1)

    assert ledger.recent(job.client, limit=5).jobs == (merged,)


@pytest.mark.parametrize("cursor", ["", "x", "-1", "e30", "W10", "\N{SUPERSCRIPT TWO}"])
def test_a_strange_cursor_is_refused(ledger: JobLedger, cursor: str) -> None:
    with pytest.raises(InvalidJob, match="/cursor"):
        ledger.recent("c", limit=5, cursor=cursor)


# --- what DynamoDB alone can do to us


def lossy(aws: Aws, operation: str) -> DynamoJobLedger:
    client: Any = Lossy(aws.clients["dynamodb"], operation)
    return DynamoJobLedger(client, aws.names["LedgerTable"])


def test_writes_whose_reply_was_lost_recognise_themselves(aws: Aws) -> None:
    job, best = fresh_job(), Minimum(-1.0, 1)
    ledger = lossy(aws, "put_item")
    with pytest.raises(ServiceBusy, match="the table adapters-ledger did not answer"):
        ledger.create(job)
    assert ledger.create(job)

    ledger = lossy(aws, "update_item")
    with pytest.raises(ServiceBusy):
        merge(ledger, job, 0, 1, 2, 3, best=best)
    merged = merge(ledger, job, 0, 1, 2, 3, best=best)
    assert merged is not None
    assert (grid_view(merged).best, merged.complete) == (best, True)

    ledger = lossy(aws, "update_item")
    with pytest.raises(ServiceBusy):
        ledger.finish(job.id, ATTEMPT, register_of(best), now=NOW + 1)
    assert ledger.finish(job.id, ATTEMPT, register_of(best), now=NOW + 1)


def test_a_failure_whose_reply_was_lost_recognises_itself(aws: Aws) -> None:
    ledger, job = lossy(aws, "update_item"), fresh_job()
    ledger.create(job)
    with pytest.raises(ServiceBusy):
        ledger.fail(job.id, ATTEMPT, ERROR, now=NOW + 1)

    assert ledger.fail(job.id, ATTEMPT, ERROR, now=NOW + 1)


class Stingy:
    """DynamoDB that reads at most so many of the keys of a batch."""

    def __init__(self, client: Any, at_most: int) -> None:
        self._client = client
        self._at_most = at_most
        self.calls = 0

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> Any:  # noqa: N803 - boto3's name
        self.calls += 1
        ((table, request),) = RequestItems.items()
        first, rest = request["Keys"][: self._at_most], request["Keys"][self._at_most :]
        reply = {"Responses": {}, "UnprocessedKeys": {table: {**request, "Keys": rest}}}
        if first:
            reply |= self._client.batch_get_item(RequestItems={table: {**request, "Keys": first}})
            reply["UnprocessedKeys"] = {table: {**request, "Keys": rest}} if rest else {}
        return reply


def test_keys_that_a_batch_left_out_are_asked_for_again(aws: Aws) -> None:
    jobs = [fresh_job() for _ in range(5)]
    real = DynamoJobLedger(aws.clients["dynamodb"], aws.names["LedgerTable"])
    for job in jobs:
        real.create(job)
    client: Any = Stingy(aws.clients["dynamodb"], 2)

    found = DynamoJobLedger(client, aws.names["LedgerTable"]).read_many(j.id for j in jobs)

    assert found == {job.id: job for job in jobs}
    assert client.calls == 3


class Noting:
    """DynamoDB without items; it notes how it was read."""

    def __init__(self) -> None:
        self.consistent: list[bool] = []

    def get_item(self, **arguments: Any) -> dict[str, Any]:
        self.consistent.append(arguments["ConsistentRead"])
        return {}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        self.consistent += [request["ConsistentRead"] for request in RequestItems.values()]
        return {"Responses": {}}


def test_every_read_is_of_the_present() -> None:
    client: Any = Noting()
    ledger = DynamoJobLedger(client, "t")

    assert (ledger.read("a"), ledger.read_many(["a"])) == (None, {})

    assert client.consistent == [True, True]


class Paging:
    """DynamoDB whose index gives one key at a time."""

    def query(self, **arguments: Any) -> dict[str, Any]:
        shard = arguments["ExpressionAttributeValues"][":value"]["S"]
        start = arguments.get("ExclusiveStartKey", {"pk": {"S": f"job#{shard}-0"}})
        number = int(start["pk"]["S"].rpartition("-")[2]) + 1
        key = {"pk": {"S": f"job#{shard}-{number}"}}
        return {"Items": [key]} | ({} if number == 3 else {"LastEvaluatedKey": key})


def test_an_index_is_read_to_its_last_page() -> None:
    client: Any = Paging()

    listed = DynamoJobLedger(client, "t").unfinished()

    assert listed == [f"{shard}-{number}" for shard in "0123" for number in (1, 2, 3)]


def test_a_batch_that_never_ends_is_told() -> None:
    client: Any = Stingy(None, 0)

    with pytest.raises(ServiceBusy, match="the table t left 1 items unread"):
        DynamoJobLedger(client, "t").read_many(["a"])
    assert client.calls == 5


def test_a_missing_table_is_named_with_the_remedy(aws: Aws) -> None:
    ledger = DynamoJobLedger(aws.clients["dynamodb"], "nowhere")

    for call in (lambda: ledger.read("a"), ledger.unfinished, lambda: ledger.create(fresh_job())):
        with pytest.raises(ServiceDenied, match=r"the table nowhere.*create the stack"):
            call()


# --- attempts whose answer was proved wrong


def test_a_restart_forgets_all_that_was_merged_and_keeps_the_job(
    ledger: JobLedger, job: Job
) -> None:
    ledger.mark_sent(job.id, ATTEMPT, sent_at=NOW, resend_at=NOW + 120)
    assert ledger.claim_resend(job.id, ATTEMPT, seen=NOW + 120, later=NOW + 240)
    assert merge(ledger, job, 0, 1, best=Minimum(-1.5, 3)) is not None

    assert ledger.restart(job.id, ATTEMPT, OTHER_ATTEMPT, now=NOW + 5)

    assert ledger.read(job.id) == replace(
        job, attempt=OTHER_ATTEMPT, run=2, refusals=1, moved=NOW + 5
    )
    assert job.id in ledger.unfinished()
    assert merge(ledger, job, 0) is None  # late results of the discarded attempt
    assert merge(ledger, job, 0, attempt=OTHER_ATTEMPT) is not None


def test_a_restart_made_twice_is_made_once(ledger: JobLedger, job: Job) -> None:
    assert ledger.restart(job.id, ATTEMPT, OTHER_ATTEMPT, now=NOW + 5)
    once = ledger.read(job.id)

    assert ledger.restart(job.id, ATTEMPT, OTHER_ATTEMPT, now=NOW + 9)
    assert not ledger.restart(job.id, ATTEMPT, "c" * 16, now=NOW + 9)

    assert ledger.read(job.id) == once


def test_neither_an_ended_attempt_nor_a_missing_job_restarts(ledger: JobLedger, job: Job) -> None:
    assert ledger.cancel(job.id, ATTEMPT, now=NOW + 1)
    ended = ledger.read(job.id)

    assert not ledger.restart(job.id, ATTEMPT, OTHER_ATTEMPT, now=NOW + 5)
    assert not ledger.restart(fresh_job().id, ATTEMPT, OTHER_ATTEMPT, now=NOW + 5)

    assert ledger.read(job.id) == ended


def test_a_merge_keeps_who_reported_which_chunk(ledger: JobLedger, job: Job) -> None:
    merge(ledger, job, 0, 2, worker="one")
    merge(ledger, job, 2, worker="two")
    merged = merge(ledger, job, 1, worker="two")

    assert merged is not None
    assert [merged.reporters(chunk) for chunk in range(4)] == [["one"], ["two"], ["one", "two"], []]


# --- the secret


def test_the_secret_is_made_once_and_stays(ledger: JobLedger) -> None:
    secret = ledger.secret()

    assert len(secret) == SECRET_BYTES
    assert ledger.secret() == secret


def test_processes_that_make_the_secret_at_once_have_one_secret(aws: Aws) -> None:
    client, table = aws.clients["dynamodb"], aws.names["LedgerTable"]
    client.delete_item(TableName=table, Key={"pk": {"S": "secret#web"}})
    ledgers = [DynamoJobLedger(client, table) for _ in range(8)]

    secrets = at_once([ledger.secret for ledger in ledgers])

    assert len(set(secrets)) == 1
    assert DynamoJobLedger(client, table).secret() == secrets[0]


@pytest.mark.parametrize("value", ["", "xyz", "ab" * 31])
def test_a_damaged_secret_is_an_error_with_a_remedy(aws: Aws, value: str) -> None:
    client, table = aws.clients["dynamodb"], aws.names["LedgerTable"]
    item = {"pk": {"S": "secret#web"}, "value": {"S": value}}
    client.put_item(TableName=table, Item=item)

    with pytest.raises(InvalidMessage, match=r"'secret#web' does not hold a secret; remove it"):
        DynamoJobLedger(client, table).secret()

    client.delete_item(TableName=table, Key={"pk": {"S": "secret#web"}})


# --- chunks that two workers compute


def test_reports_that_are_held_are_kept_and_merge_nothing(ledger: JobLedger, job: Job) -> None:
    one = Replica(task=1, worker="one", keys=(Minimum(-1.5, 3).key(),), at=NOW + 0.5)
    two = Replica(task=1, worker="two", keys=(), at=NOW + 1.25, digest="d" * 64)

    assert ledger.hold(job.id, ATTEMPT, one) is not None
    assert ledger.hold(job.id, ATTEMPT, one) is not None
    held = ledger.hold(job.id, ATTEMPT, two)

    assert held == ledger.read(job.id)
    assert held == replace(job, state=JobState.RUNNING, replicas=frozenset({one, two}))
    assert held.replicas_of(1) == [one, two]
    assert held.replicas_of(0) == []


def test_nothing_is_held_of_another_attempt_or_an_ended_one(ledger: JobLedger, job: Job) -> None:
    opinion = Replica(task=1, worker="one", keys=(), at=NOW)

    assert ledger.hold(job.id, OTHER_ATTEMPT, opinion) is None
    assert ledger.hold(fresh_job().id, ATTEMPT, opinion) is None
    assert ledger.cancel(job.id, ATTEMPT, now=NOW + 1)
    assert ledger.hold(job.id, ATTEMPT, opinion) is None


def test_the_first_digest_of_a_chunks_map_stays(ledger: JobLedger, job: Job) -> None:
    for digest in ("a" * 64, "b" * 64):
        ledger.merge(
            job.id, ATTEMPT, frozenset({2}), None, worker="w", now=NOW, digests={2: digest}
        )
    assert ledger.restart(job.id, ATTEMPT, OTHER_ATTEMPT, now=NOW + 5)
    forgotten = ledger.read(job.id)
    merged = ledger.merge(
        job.id, OTHER_ATTEMPT, frozenset({2}), None, worker="w", now=NOW, digests={2: "c" * 64}
    )

    assert forgotten is not None
    assert forgotten.digests == frozenset()
    assert merged is not None
    assert merged.digests == {(2, "c" * 64)}
