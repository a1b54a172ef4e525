"""What the cache holds is read as it was written, or is a miss."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridwell.engine.blocks import TaskCounts
from gridwell.engine.job import Job, JobError, JobState
from gridwell.kinds.grid.answer import decode_answer, encode_answer
from gridwell.kinds.grid.job_view import grid_view, register_of
from gridwell.kinds.grid.minimum import Minimum
from tests.harness.builders import NOW, a_job
from tests.kinds.grid.strategies import jobs, minima
from web_tier.jobs.cached_jobs import (
    answer_key,
    decode_final,
    decode_progress,
    encode_final,
    encode_progress,
    final_key,
    progress_key,
    progress_of,
)
from web_tier.kinds.grid.present import show_job

JOB = a_job(
    state=JobState.DONE,
    done=frozenset(range(4)),
    seed=5,
    run=2,
    workers=frozenset({"b", "a"}),
    result=register_of(Minimum(-1.5, 7)),
    finished=NOW + 3,
    expires=NOW + 100,
)
#: What no cache of ours holds, but any byte string may be found under a key.
STRANGE = [
    b"",
    b"\xff\xfe",
    b"null",
    b"5",
    b"[]",
    b'"text"',
    b"{}",
    b"[" * 100_000,
    b'{"version": 1}',
    b'{"version": 1, "id": "x"}',
]


def sample(name: str) -> dict[str, Any]:
    """Values that release 0.1 wrote, by what they are of."""
    path = Path(__file__).parents[2] / "engine" / "samples" / f"{name}.json"
    values: dict[str, Any] = json.loads(path.read_text())
    return values


def shown(job: Job) -> Job:
    """The job without what only the ledger needs."""
    return replace(job, best=None, sent_at=None, resend_at=None, resends=0, moved=None)


@given(jobs(), st.sampled_from([s for s in JobState if s.terminal]), minima)
def test_an_ended_job_is_read_as_it_was_written(job: Job, state: JobState, least: Minimum) -> None:
    result = replace(least, index=least.index % grid_view(job).grid.points)
    found = register_of(result)
    if grid_view(job).series is not None:
        found = register_of(result, Minimum(1.5, 0), series=True)
    ended = replace(
        job, state=state, result=found, finished=NOW, best=found, sent_at=NOW, moved=NOW
    )

    assert decode_final(encode_final(ended), job.id) == shown(ended)


def test_a_failed_job_keeps_its_reason() -> None:
    failed = replace(
        JOB, state=JobState.FAILED, result=None, error=JobError("integrity", 'it said "no"')
    )

    assert decode_final(encode_final(failed), JOB.id) == failed


@given(jobs())
def test_progress_is_read_as_it_was_written(job: Job) -> None:
    progress = decode_progress(encode_progress(job), job.id)

    assert progress is not None
    assert (progress.attempt, progress.done) == (job.attempt, job.done)


@given(st.lists(minima, min_size=1, max_size=3))
def test_an_answer_is_read_to_the_last_bit(points: list[Minimum]) -> None:
    read = decode_answer(encode_answer("sha", *points), "sha")

    assert read is not None
    assert [each.key() for each in read] == [each.key() for each in points]


def test_a_value_under_the_wrong_key_is_a_miss() -> None:
    assert decode_final(encode_final(JOB), "0" * 32) is None
    assert decode_progress(encode_progress(JOB), "0" * 32) is None
    assert decode_answer(encode_answer("sha", Minimum(1.0, 2)), "other") is None


def test_a_value_that_does_not_tell_its_kind_is_a_miss() -> None:
    fields = json.loads(encode_final(JOB))
    del fields["kind"]

    assert decode_final(json.dumps(fields).encode(), JOB.id) is None


def test_a_finished_job_of_release_0_1_is_a_miss_as_the_ledger_has_it() -> None:
    values = sample("final_values")

    assert len(values) == 6
    for each in values.values():
        assert decode_final(each["value"].encode(), each["expected"]["id"]) is None


def test_progress_and_answers_of_release_0_1_are_read() -> None:
    for each in sample("progress_values").values():
        progress = decode_progress(each["value"].encode(), each["id"])
        assert progress is not None
        assert (progress.attempt, sorted(progress.done)) == (each["attempt"], each["done"])
    for each in sample("answer_values").values():
        points = decode_answer(each["value"].encode(), each["problem"])
        assert points is not None
        assert [point.key() for point in points] == each["points"]


def test_a_job_that_still_runs_is_never_final() -> None:
    for state in (JobState.QUEUED, JobState.RUNNING):
        assert decode_final(encode_final(replace(JOB, state=state)), JOB.id) is None


@pytest.mark.parametrize("data", STRANGE)
def test_a_strange_value_is_a_miss(data: bytes) -> None:
    assert decode_final(data, JOB.id) is None
    assert decode_progress(data, JOB.id) is None
    assert decode_answer(data, JOB.spec) is None


def mutated(data: bytes, **changes: Any) -> bytes:
    return json.dumps({**json.loads(data), **changes}).encode()


def test_a_value_of_another_version_is_a_miss() -> None:
    assert decode_final(mutated(encode_final(JOB), version=3), JOB.id) is None
    assert decode_progress(mutated(encode_progress(JOB), version=2), JOB.id) is None
    answer = mutated(encode_answer("sha", Minimum(1.0, 2)), version=2)
    assert decode_answer(answer, "sha") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"done": [float("inf")]},
        {"done": ["0"]},
        {"done": [-1]},
        {"done": None},
        {"done": 5},
        {"done": [[]]},
    ],
)
def test_a_damaged_progress_is_a_miss(changes: dict[str, Any]) -> None:
    assert decode_progress(mutated(encode_progress(JOB), **changes), JOB.id) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "lost"},
        {"plan": [[0, float("inf")]] * 3},
        {"plan": None},
        {"n": 1.5},
        {"n": None},
        {"detail": "no JSON"},
        {"detail": "[1]"},
        {"detail": {}},
        {"finished": float("nan")},
        {"result": 5},
        {"error": ["only one"]},
        {"done": None},
    ],
)
def test_a_damaged_final_is_a_miss(changes: dict[str, Any]) -> None:
    assert decode_final(mutated(encode_final(JOB), **changes), JOB.id) is None


#: What only the kind can compare with its detail: the seal vouches for it.
KINDS_OWN = {"detail", "n", "result", "points"}
foreign = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=200)
@given(
    name=st.sampled_from(sorted(json.loads(encode_final(JOB)).keys() - KINDS_OWN)), value=foreign
)
def test_whatever_is_found_in_the_cache_can_be_shown_or_is_a_miss(name: str, value: Any) -> None:
    found = decode_final(mutated(encode_final(JOB), **{name: value}), JOB.id)

    if found is not None:
        assert show_job(found).id == JOB.id
        found.renewable(NOW)


@pytest.mark.parametrize(
    "changes",
    [{"done": [-1]}, {"done": [4]}, {"n": 3}, {"problem": "0" * 64}, {"client": "another"}],
)
def test_an_end_whose_parts_are_not_of_one_job_is_a_miss(changes: dict[str, Any]) -> None:
    data = encode_final(JOB)
    assert decode_final(data, JOB.id) is not None

    assert decode_final(mutated(data, **changes), JOB.id) is None


@given(st.data())
def test_a_value_cut_short_is_a_miss(data: st.DataObject) -> None:
    text = encode_final(JOB)
    length = data.draw(st.integers(0, len(text) - 1))

    assert decode_final(text[:length], JOB.id) is None


def test_a_value_stays_small_with_every_chunk_done() -> None:
    job = a_job(chunks=256, plan=JOB.plan, done=frozenset(range(256)))

    assert len(encode_final(job)) < 4096


def test_keys_are_what_memcached_takes() -> None:
    keys = [final_key(JOB.id), progress_key(JOB.id), answer_key(JOB.spec)]

    assert len(set(keys)) == 3
    assert all(len(key) <= 250 and key.isascii() and key.isprintable() for key in keys)
    assert not any(" " in key for key in keys)


def test_progress_of_a_job_of_blocks_is_a_number_and_no_list() -> None:
    job = replace(JOB, done=frozenset(), block=2, counts=TaskCounts(total=4, done=3, failed=1))
    data = encode_progress(job)
    read = decode_progress(data, job.id)

    assert read == progress_of(job)
    assert read is not None
    assert (read.tasks_done, read.done) == (3, frozenset())
    earlier = replace(read, counted=1)
    assert earlier.joined(read) == read.joined(earlier) == read
    assert decode_progress(mutated(data, counted="3"), job.id) is None
    assert decode_progress(mutated(data, counted=-1), job.id) is None
