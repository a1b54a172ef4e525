"""A cache that others can write to: what they put there is a miss, under whatever key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.adapters.memory import ManualClock, MemoryCache, MemoryLedger
from gridwell.engine.errors import ServiceBusy
from gridwell.engine.job import JobState
from gridwell.kinds.grid.answer import encode_answer
from gridwell.kinds.grid.job_view import register_of
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.potential import potential
from gridwell.kinds.grid.work import work_of
from tests.harness.builders import SIGNER, a_ledger, a_problem
from tests.harness.oracle import true_minimum
from tests.harness.web import World
from tests.harness.web_http import a_service
from web_tier.jobs.cached_jobs import (
    answer_key,
    decode_final,
    encode_final,
    final_key,
    progress_key,
)
from web_tier.jobs.sealed_cache import SealedCache, sealed
from web_tier.jobs.signer import Signer

if TYPE_CHECKING:
    from gridwell.engine.job import Job

PROBLEM = a_problem()


@pytest.fixture
def world() -> World:
    return World()


def done(world: World) -> Job:
    """A job that was submitted, computed and ended."""
    job = a_service(world).submit(work_of(PROBLEM))
    world.answer(job, PROBLEM)
    world.collector().step()
    ended = world.job(job)
    assert ended.state is JobState.DONE
    return ended


def raw(world: World) -> dict[str, bytes]:
    """All that lies in memcached, by its whole key."""
    return {key: value for key, (value, _) in world.cache._values.items()}


# --- the seal


@given(st.binary(max_size=50), st.integers(0, 10**6), st.integers(0, 7))
def test_a_value_changed_in_a_single_bit_is_a_miss(value: bytes, place: int, bit: int) -> None:
    cache = MemoryCache(ManualClock())
    forged: list[str] = []
    ours = SealedCache(cache, SIGNER, forged=forged.append)
    ours.set("k", value, seconds=60)
    assert ours.get_many(["k", "other"]) == {"k": value}
    ((name, (stored, _)),) = cache._values.items()

    place %= len(stored)
    changed = bytes([*stored[:place], stored[place] ^ 1 << bit, *stored[place + 1 :]])
    cache.set(name, changed, seconds=60)

    assert ours.get_many(["k"]) == {}
    assert forged == [name]


@pytest.mark.parametrize("junk", [b"", b"x", b"\0" * 31, b"\0" * 32, b"\0" * 500])
def test_junk_is_a_miss(junk: bytes) -> None:
    cache = MemoryCache(ManualClock())
    cache.set(SIGNER.cache_key("k"), junk, seconds=60)

    assert SealedCache(cache, SIGNER).get_many(["k"]) == {}


def test_a_value_moved_to_another_key_is_a_miss() -> None:
    cache = MemoryCache(ManualClock())
    ours = SealedCache(cache, SIGNER)
    ours.set("one", b"value", seconds=60)
    (value,) = (stored for stored, _ in cache._values.values())
    cache.set(SIGNER.cache_key("two"), value, seconds=60)

    assert ours.get_many(["one", "two"]) == {"one": b"value"}


def test_two_stacks_on_one_memcached_never_meet() -> None:
    cache = MemoryCache(ManualClock())
    one, two = (SealedCache(cache, Signer(MemoryLedger())) for _ in range(2))

    one.set("k", b"1", seconds=60)
    two.set("k", b"2", seconds=60)
    one.delete("missing")
    two.delete("k")

    assert (one.get_many(["k"]), two.get_many(["k"])) == ({"k": b"1"}, {})


def test_without_the_secret_reads_miss_and_writes_are_forgotten() -> None:
    class Away:
        def secret(self) -> bytes:
            raise ServiceBusy("away")

    cache = MemoryCache(ManualClock())
    ours = SealedCache(cache, Signer(Away()))  # type: ignore[arg-type]

    ours.set("k", b"1", seconds=60)
    ours.delete("k")

    assert ours.get_many(["k"]) == {}
    assert cache._values == {}


def test_a_cache_is_sealed_once() -> None:
    ours = SealedCache(MemoryCache(ManualClock()), SIGNER)

    assert sealed(ours, SIGNER) is ours


# --- what of it reaches clients


def test_every_key_in_memcached_is_named_by_the_stack(world: World) -> None:
    job = done(world)

    names = {SIGNER.cache_key(key(job.id)) for key in (final_key, progress_key)}
    assert raw(world).keys() <= names | {SIGNER.cache_key(answer_key(PROBLEM.sha))}
    assert len(raw(world)) >= 2


def test_a_forged_end_is_not_shown(world: World) -> None:
    job = done(world)
    forged = replace(job, result=register_of(Minimum(-1e9, 7)))
    for key in (*raw(world), final_key(job.id), SIGNER.cache_key(final_key(job.id))):
        world.cache.set(key, encode_final(forged), seconds=60)

    for shown in (a_service(world).read(job.id), a_service(world).submit(work_of(PROBLEM))):
        assert shown is not None
        assert (shown.result, shown.client) == (job.result, job.client)


def test_a_job_given_away_in_the_cache_stays_its_owners(world: World) -> None:
    job = done(world)
    world.values.set(final_key(job.id), encode_final(replace(job, client="bob")), seconds=60)

    assert decode_final(encode_final(replace(job, client="bob")), job.id) is None
    assert replace(a_service(world), client="bob").read(job.id) is None
    shown = a_service(world).read(job.id)
    assert shown is not None
    assert (shown.result, shown.client) == (job.result, job.client)


def test_a_forged_answer_to_a_problem_not_asked_yet_ends_no_job(world: World) -> None:
    value = potential(PROBLEM.grid, PROBLEM.atoms, 0)
    assert value is not None
    wrong = Minimum(value, 0)  # a true value of a wrong point
    assert wrong != true_minimum(PROBLEM)
    for key in (answer_key(PROBLEM.sha), SIGNER.cache_key(answer_key(PROBLEM.sha))):
        world.cache.set(key, encode_answer(PROBLEM.sha, wrong), seconds=60)

    assert a_service(world).submit(work_of(PROBLEM)).state is JobState.QUEUED


def test_a_submission_is_stored_though_the_cache_says_that_it_is_done(world: World) -> None:
    job = done(world)
    world.ledger._jobs.clear()  # restored from before, or emptied: the cache is as it was

    again = a_service(world).submit(work_of(PROBLEM))

    stored = world.ledger.read(job.id)
    assert stored is not None
    assert (stored.attempt, stored.state) == (again.attempt, again.state)


def test_another_stack_on_the_same_memcached_computes_its_own_job(world: World) -> None:
    job = done(world)
    other = World()
    other.cache, other.ledger = world.cache, MemoryLedger()

    service = replace(a_service(other), signer=Signer(other.ledger), cache=other.cache)
    mine = service.submit(work_of(PROBLEM))

    assert (mine.id, mine.state) == (job.id, JobState.QUEUED)
    assert service.read(job.id) == other.ledger.read(job.id)


def test_an_end_of_an_attempt_that_was_replaced_is_not_submitted_again(world: World) -> None:
    job = done(world)
    later = replace(job, attempt="c" * 16)
    world.ledger._jobs[job.id] = later  # the cache has the older attempt's end

    assert a_service(world).submit(work_of(PROBLEM)).attempt == later.attempt


def test_ledgers_that_share_a_secret_share_a_cache() -> None:
    one, two = (Signer(a_ledger()) for _ in range(2))

    assert one.cache_key("k") == two.cache_key("k")
