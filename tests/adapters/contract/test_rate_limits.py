"""One suite for counting rates, in memcached and in one process.

Windows are a day long: the libraries below read the machine's clock, and no test may straddle two.
"""

from __future__ import annotations

import itertools
import logging
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from gridwell.adapters.memcached.rate_limits import CountedRates, MemcachedRates
from gridwell.adapters.memory import ManualClock
from gridwell.local_stack.memcached import start_memcached
from tests.harness.threads import at_once

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gridwell.access.ports import Rates
    from gridwell.local_stack.memcached import Memcached

RATE = "3/day"
_numbers = itertools.count()


@pytest.fixture(params=["process", "memcached"])
def rates(request: pytest.FixtureRequest) -> Iterator[Rates]:
    if request.param == "process":
        yield CountedRates()
        return
    server: Memcached = request.getfixturevalue("memcached")
    counted = MemcachedRates(server.address)
    yield counted
    counted.close()


@pytest.fixture
def who() -> str:
    return f"client-{next(_numbers)}"


def test_calls_are_within_the_limit_until_it_is_used_up(rates: Rates, who: str) -> None:
    standings = [rates.take(RATE, "submits", who) for _ in range(4)]

    assert [standing.within for standing in standings] == [True, True, True, False]
    assert [standing.remaining for standing in standings] == [2, 1, 0, 0]
    assert all(1 <= standing.reset <= 86_400 for standing in standings)


def test_looking_counts_nothing(rates: Rates, who: str) -> None:
    for _ in range(5):
        assert rates.look(RATE, "submits", who).within
    for _ in range(3):
        rates.take(RATE, "submits", who)

    assert not rates.look(RATE, "submits", who).within


def test_others_and_other_kinds_are_counted_apart(rates: Rates, who: str) -> None:
    for _ in range(4):
        rates.take(RATE, "submits", who)

    assert rates.take(RATE, "reads", who).within
    assert rates.take(RATE, "submits", f"{who}-other").within
    assert rates.take(RATE, "submits", "2001:db8::/64").within


def test_calls_at_once_are_not_counted_as_one(rates: Rates, who: str) -> None:
    within = at_once([lambda: rates.take("10/day", "submits", who).within] * 24)

    assert within.count(True) <= 10
    assert not rates.look("10/day", "submits", who).within


def test_processes_count_together_over_a_socket_file(
    memcached: Memcached, tmp_path: Path, who: str
) -> None:
    del memcached  # skips where it is not installed
    server = start_memcached(log=tmp_path / "log", socket_file=tmp_path / "memcached.sock")
    with (
        closing(MemcachedRates(server.address)) as one,
        closing(MemcachedRates(server.address)) as two,
    ):
        within = [rates.take(RATE, "submits", who).within for rates in (one, two, one, two)]

    assert within == [True, True, True, False]
    server.stop()


def test_processes_count_together(memcached: Memcached, who: str) -> None:
    one, two = MemcachedRates(memcached.address), MemcachedRates(memcached.address)

    within = [rates.take(RATE, "submits", who).within for rates in (one, two, one, two)]

    assert within == [True, True, True, False]
    one.close()
    two.close()


@pytest.mark.system
def test_without_memcached_a_process_counts_for_itself_and_says_so_once(
    who: str, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as nobody:  # bound, so nobody else takes the port; nobody listens
        nobody.bind(("127.0.0.1", 0))
        rates = MemcachedRates(f"127.0.0.1:{nobody.getsockname()[1]}", clock=ManualClock())

        within = [rates.take(RATE, "submits", who).within for _ in range(4)]

    assert within == [True, True, True, False]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_memcached_is_asked_again_after_a_second(
    memcached: Memcached, who: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    clock = ManualClock()
    rates = MemcachedRates(memcached.address, clock=clock)
    rates._reach._note_failure(OSError())
    for _ in range(4):
        rates.take(RATE, "submits", who)
    assert not rates.take(RATE, "submits", who).within  # in this process

    clock.sleep(1.0)

    assert rates.take(RATE, "submits", who).within  # there nothing was counted yet
    assert [record.getMessage() for record in caplog.records][-1:] == [
        f"memcached at {memcached.address} answers again"
    ]
    rates.close()


def test_two_stacks_on_one_memcached_count_apart(memcached: Memcached) -> None:
    one, two = (MemcachedRates(memcached.address, stack=stack) for stack in ("one", "two"))
    for rates in (one, two):
        with closing(rates):
            standing = rates.take("1/minute", "reads", "alice")
            assert standing.within
            assert not rates.take("1/minute", "reads", "alice").within


def test_a_call_may_count_as_several(rates: Rates, who: str) -> None:
    assert rates.take("10/day", "reads", who, cost=6).remaining == 4
    assert not rates.take("10/day", "reads", who, cost=6).within
    assert rates.take("10/day", "reads", who, cost=4).remaining == 0


def test_no_call_costs_more_than_the_limit(rates: Rates, who: str) -> None:
    assert rates.take(RATE, "reads", who, cost=100).within
    assert not rates.take(RATE, "reads", who, cost=1).within
