"""Whom the watcher wakes, and how seldom it asks the ledger: all in virtual time."""

from __future__ import annotations

from dataclasses import replace

from gridwell.engine.job import JobState
from gridwell.kinds.grid.job_view import grid_view, register_of
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.series import Series
from tests.harness.builders import ATTEMPT, OTHER_ATTEMPT, a_job, a_problem
from web_tier.jobs.cached_jobs import encode_final, encode_progress, final_key, progress_key
from web_tier.waiting.wait_list import ROUND_JOBS, Waiter, WaitList

JOB = a_job()
DONE = replace(
    JOB, state=JobState.DONE, result=register_of(Minimum(-1.0, 3)), finished=1.0, expires=2e9
)
FINAL, PROGRESS = final_key(JOB.id), progress_key(JOB.id)


def waiting(
    watch: WaitList, *, job: str = JOB.id, attempt: str = ATTEMPT, at: float = 0.0
) -> Waiter:
    ticket = Waiter(job=job, attempt=attempt, read_at=at)
    watch.add(ticket)
    return ticket


def test_each_awaited_job_is_asked_for_once_and_ends_come_first() -> None:
    watch = WaitList()
    waiting(watch)
    waiting(watch)
    waiting(watch, job="0" * 32)

    keys = watch.keys()

    assert len(keys) == len(set(keys)) == 4
    assert keys.index(FINAL) < keys.index(PROGRESS)
    assert all(key.startswith("final:") for key in keys[:2])


def test_an_end_in_the_cache_wakes_everybody_who_waits_for_that_attempt() -> None:
    watch = WaitList()
    tickets = [waiting(watch), waiting(watch), waiting(watch, job="0" * 32)]

    watch.look({FINAL: encode_final(DONE)})

    assert [ticket.event.is_set() for ticket in tickets] == [True, True, False]


def test_an_end_of_another_attempt_is_a_miss() -> None:
    watch = WaitList()
    ticket = waiting(watch, attempt=OTHER_ATTEMPT)

    watch.look({FINAL: encode_final(DONE)})

    assert not ticket.event.is_set()
    assert watch.due(1.0) == [JOB.id]


def test_garbage_in_the_cache_is_a_miss() -> None:
    watch = WaitList()
    ticket = waiting(watch)

    watch.look({FINAL: b"\xff", PROGRESS: b"{}"})

    assert not ticket.event.is_set()
    assert watch.due(1.0) == [JOB.id]


def test_a_job_with_progress_is_not_read_from_the_ledger_before_five_seconds() -> None:
    watch = WaitList()
    waiting(watch)

    for now in (0.5, 1.0, 3.0, 4.9):
        watch.look({PROGRESS: encode_progress(JOB)})
        assert watch.due(now) == []
    assert watch.due(5.0) == [JOB.id]


def test_progress_of_another_attempt_is_a_miss_whenever_it_comes() -> None:
    watch = WaitList()
    waiting(watch)
    other = encode_progress(replace(JOB, attempt=OTHER_ATTEMPT))

    for values in ({PROGRESS: encode_progress(JOB)}, {}, {PROGRESS: other}, {PROGRESS: other}):
        watch.look(values)

    assert watch.due(1.0) == [JOB.id]


def test_progress_that_vanished_and_came_back_counts_again() -> None:
    watch = WaitList()
    waiting(watch)
    progress = {PROGRESS: encode_progress(JOB)}

    for values in (progress, {}, progress, progress):
        watch.look(values)

    assert watch.due(2.0) == []


def test_without_a_cache_the_ledger_is_asked_once_a_second_for_the_longest_unread() -> None:
    watch = WaitList()
    for number in range(250):
        waiting(watch, job=f"{number:032x}", at=-1 - number / 1000)
    jobs: list[str] = []

    for tick in range(1, 200):
        now = tick * 0.025
        watch.look({})
        asked = watch.due(now)
        assert len(asked) <= ROUND_JOBS
        watch.learn(asked, {job: replace(JOB, id=job) for job in asked}, now)
        jobs += asked

    assert len(jobs) == 5 * ROUND_JOBS  # in five seconds
    assert jobs[0] == f"{249:032x}"
    assert len(set(jobs)) == 250


def test_the_ledger_wakes_by_an_end_by_another_attempt_and_by_a_job_that_is_gone() -> None:
    watch = WaitList()
    ids = [f"{number:032x}" for number in range(4)]
    tickets = [waiting(watch, job=job) for job in ids]
    found = {
        ids[0]: replace(DONE, id=ids[0]),
        ids[1]: replace(JOB, id=ids[1], attempt=OTHER_ATTEMPT),
        ids[3]: replace(JOB, id=ids[3]),
    }

    watch.learn(ids, found, 1.0)

    assert [ticket.event.is_set() for ticket in tickets] == [True, True, True, False]


def test_who_was_not_asked_about_learns_nothing() -> None:
    watch = WaitList()
    ticket = waiting(watch)

    watch.learn(["0" * 32], {}, 1.0)

    assert not ticket.event.is_set()
    assert watch.due(1.0) == [JOB.id]


def test_the_woken_and_the_gone_are_asked_for_no_more() -> None:
    watch = WaitList()
    woken, gone = waiting(watch), waiting(watch, job="0" * 32)
    watch.look({FINAL: encode_final(DONE)})
    watch.remove(gone)

    assert watch.keys() == []
    assert watch.due(100.0) == []
    assert len(watch) == 1
    watch.remove(woken)
    assert len(watch) == 0


def test_jobs_of_other_problems_do_not_wake_each_other() -> None:
    watch = WaitList()
    ticket = waiting(watch, job=a_job(a_problem(5)).id)

    watch.look({FINAL: encode_final(DONE)})

    assert not ticket.event.is_set()


def test_who_follows_is_woken_by_each_step_and_who_waits_only_by_the_end() -> None:
    watch = WaitList()
    waits = waiting(watch)
    follows = Waiter(job=JOB.id, attempt=ATTEMPT, read_at=0.0, follows=True)
    watch.add(follows)

    watch.look({PROGRESS: encode_progress(replace(JOB, done=frozenset({1})))})

    assert follows.event.is_set()
    assert follows.latest is not None
    assert follows.latest.done == {1}
    assert not follows.ended
    assert not waits.event.is_set()


def test_a_step_back_wakes_nobody() -> None:
    watch = WaitList()
    follows = Waiter(job=JOB.id, attempt=ATTEMPT, read_at=0.0, follows=True)
    watch.add(follows)
    watch.look({PROGRESS: encode_progress(replace(JOB, done=frozenset({1, 2})))})
    follows.event.clear()

    watch.look({PROGRESS: encode_progress(replace(JOB, done=frozenset({1})))})

    assert not follows.event.is_set()
    assert follows.latest is not None
    assert follows.latest.done == {1, 2}


def test_without_the_cache_steps_come_from_the_ledger() -> None:
    watch = WaitList()
    follows = Waiter(job=JOB.id, attempt=ATTEMPT, read_at=0.0, follows=True)
    watch.add(follows)
    watch.look({})

    running = replace(JOB, state=JobState.RUNNING, done=frozenset({0}))
    watch.learn(watch.due(1.0), {JOB.id: running}, 1.0)

    assert follows.event.is_set()
    assert follows.latest is not None
    assert follows.latest.done == {0}
    assert watch.keys(), "a follower that was woken still follows"


SERIES = a_job(series=Series(6, 5.0, 1), chunking=grid_view(JOB).chunking)


def following_a_series(watch: WaitList) -> Waiter:
    ticket = Waiter(job=JOB.id, attempt=ATTEMPT, read_at=0.0, follows=True, series=True)
    watch.add(ticket)
    return ticket


def test_a_series_that_is_followed_is_read_each_second_whatever_the_cache_says() -> None:
    watch = WaitList()
    following_a_series(watch)
    waiting(watch)
    watch.look({PROGRESS: encode_progress(SERIES)})

    assert watch.due(0.9) == []
    assert watch.due(1.0) == [JOB.id]
    watch.learn([JOB.id], {JOB.id: SERIES}, 1.0)
    assert watch.due(1.9) == []
    assert watch.due(2.0) == [JOB.id]


def test_points_that_were_seen_are_never_taken_back() -> None:
    watch = WaitList()
    ticket = following_a_series(watch)
    found = []

    for told in (1, 3, 2, 0):
        watch.learn([JOB.id], {JOB.id: replace(SERIES, reported=told)}, 1.0)
        found.append((ticket.latest and ticket.latest.found, ticket.event.is_set()))
        ticket.event.clear()
    watch.look({PROGRESS: encode_progress(replace(SERIES, done=frozenset({0, 1})))})

    assert found == [(1, True), (3, True), (3, False), (3, False)]
    assert ticket.latest is not None
    assert (ticket.latest.found, sorted(ticket.latest.done)) == (3, [0, 1])
