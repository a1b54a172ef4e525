"""Wrong keys never keep right ones out, and cost the ledger a bounded number of reads."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridwell.access.keys import PresentedKey, Scope
from gridwell.adapters.memory import ManualClock, MemoryAccessLedger
from gridwell.engine.errors import ServiceBusy
from tests.harness.web_keys import Keyed, key_id
from web_tier.auth.key_cache import (
    EXISTS_SECONDS,
    KEPT_SECONDS,
    LIST_SECONDS,
    RESERVE_BURST,
    RESERVE_PER_SECOND,
    UNSEEN_BURST,
)
from web_tier.auth.token_bucket import TokenBucket

if TYPE_CHECKING:
    from gridwell.access.keys import AccessKey

PER_ADDRESS: Final = 3
LIMIT: Final = f"{PER_ADDRESS}/day"


class Counted(MemoryAccessLedger):
    """Counts its reads."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.lists = 0

    def key(self, key_id: str) -> AccessKey | None:
        self.reads += 1
        return super().key(key_id)

    def key_ids(self) -> frozenset[str]:
        self.lists += 1
        return super().key_ids()


def counted(proxies: int = 0) -> tuple[Keyed, Counted]:
    ledger = Counted()
    return Keyed(failure_limit=LIMIT, ledger=ledger, proxies=proxies), ledger


def wrong(number: int) -> str:
    return f"gw_{number:012x}_" + "A" * 43


def forged(key: str) -> str:
    """Another secret of the same id."""
    return f"gw_{key_id(key)}_" + "A" * 43


@pytest.mark.parametrize(
    ("proxies", "headers"),
    [
        (0, {}),  # one network behind one address
        (0, {"X-Forwarded-For": "192.0.2.1"}),  # a balancer that is not counted as ours
        (1, {"X-Forwarded-For": "192.0.2.1"}),  # one client address behind our balancer
        (1, {"X-Forwarded-For": "not an address"}),  # the bucket of unknown addresses
    ],
)
def test_a_right_key_is_accepted_from_an_address_that_shows_wrong_ones(
    proxies: int, headers: dict[str, str]
) -> None:
    keyed, _ = counted(proxies)
    used, unused = keyed.key(), keyed.key()
    assert keyed.ask("GET", "/v1/jobs", used, headers=headers).status_code == 200

    numbers = itertools.count()
    for _ in range(20):
        for _ in range(5):
            answer = keyed.ask("GET", "/v1/jobs", wrong(next(numbers)), headers=headers)
            assert answer.status_code in (401, 429)
        assert keyed.ask("GET", "/v1/jobs", used, headers=headers).status_code == 200
        keyed.world.clock.advance(7)

    assert answer.status_code == 429
    assert keyed.ask("GET", "/v1/jobs", unused, headers=headers).status_code == 200
    late = keyed.key()
    keyed.world.clock.advance(LIST_SECONDS)
    assert keyed.ask("GET", "/v1/jobs", late, headers=headers).status_code == 200


def test_a_key_made_within_a_second_under_attack_is_asked_to_come_back_not_called_wrong() -> None:
    keyed, _ = counted()
    for number in range(PER_ADDRESS + 1):
        keyed.ask("GET", "/v1/jobs", wrong(number))
    assert keyed.ask("GET", "/v1/jobs", keyed.key()).status_code == 200  # by the reserve
    for number in range(100, 100 + RESERVE_BURST):
        keyed.ask("GET", "/v1/jobs", wrong(number))
    new = keyed.key()

    early = keyed.ask("GET", "/v1/jobs", new)
    keyed.world.clock.advance(LIST_SECONDS)

    assert (early.status_code, early.headers["Retry-After"]) == (429, "1")
    assert keyed.ask("GET", "/v1/jobs", new).status_code == 200


def test_people_log_in_from_an_address_that_shows_wrong_keys() -> None:
    keyed, _ = counted()
    key = keyed.key()
    for number in range(PER_ADDRESS + 3):
        assert keyed.ask("POST", "/login", data={"key": wrong(number)}).status_code in (401, 429)

    assert keyed.ask("POST", "/login", data={"key": key}).status_code == 303


def test_a_known_id_with_another_secret_costs_no_read_for_a_day() -> None:
    keyed, ledger = counted()
    key = keyed.key()
    keyed.ask("GET", "/v1/jobs", key)
    before = ledger.reads

    for _ in range(40):
        assert keyed.ask("GET", "/v1/jobs", forged(key)).status_code in (401, 429)
        keyed.world.clock.advance((EXISTS_SECONDS - 1) / 40)

    assert (ledger.reads, ledger.lists) == (before, 0)


def test_wrong_keys_of_one_address_cost_a_bounded_number_of_reads() -> None:
    keyed, ledger = counted()
    seconds = 10
    for second in range(seconds):
        for number in range(50):
            keyed.ask("GET", "/v1/jobs", wrong(100 * second + number))
        keyed.world.clock.advance(1.0)

    assert ledger.reads <= PER_ADDRESS + RESERVE_BURST + RESERVE_PER_SECOND * seconds
    assert ledger.lists <= seconds


def test_wrong_keys_of_many_addresses_cost_a_bounded_number_of_reads() -> None:
    keyed, ledger = counted()
    key = keyed.key()
    for number in range(2 * UNSEEN_BURST):
        base = {"REMOTE_ADDR": f"10.0.{number // 256}.{number % 256}"}
        keyed.ask("GET", "/v1/jobs", wrong(number), environ_base=base)

    assert ledger.reads <= UNSEEN_BURST + RESERVE_BURST
    assert ledger.lists == 1
    assert keyed.ask("GET", "/v1/jobs", key).status_code == 200


def test_made_up_ids_do_not_push_a_real_key_out_of_the_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("web_tier.auth.key_cache.KEPT_KEYS", 10)
    keyed, ledger = counted()
    key = keyed.key()
    keyed.ask("GET", "/v1/jobs", key)
    ring = keyed.site.access.keyring
    assert ring is not None

    for number in range(50):
        ring.look_up(f"{number:012x}")
    before = ledger.reads

    assert len(ring._missing) == 10
    assert ring.remembered(f"{49:012x}") is not None
    assert keyed.ask("GET", "/v1/jobs", key).status_code == 200
    assert ledger.reads == before


def test_a_list_that_cannot_be_read_is_busy_and_not_a_wrong_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keyed, ledger = counted()
    key = keyed.key()
    for number in range(PER_ADDRESS):
        keyed.ask("GET", "/v1/jobs", wrong(number))

    def away() -> frozenset[str]:
        raise ServiceBusy("throttled")

    with monkeypatch.context() as broken:
        broken.setattr(ledger, "key_ids", away)
        assert keyed.ask("GET", "/v1/jobs", key).status_code == 503
    keyed.world.clock.advance(LIST_SECONDS)
    assert keyed.ask("GET", "/v1/jobs", key).status_code == 200


def test_a_key_that_was_deleted_from_the_ledger_is_no_longer_known() -> None:
    keyed, ledger = counted()
    key = keyed.key()
    assert keyed.ask("GET", "/v1/jobs", key).status_code == 200
    ledger._keys.clear()
    keyed.world.clock.advance(KEPT_SECONDS)

    assert keyed.ask("GET", "/v1/jobs", key).status_code == 401
    ring = keyed.site.access.keyring
    assert ring is not None
    assert not ring.exists(key_id(key))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("random"), st.integers(1, 30)),
        st.tuples(st.just("forged"), st.integers(0, 3)),
        st.tuples(st.just("malformed"), st.just(0)),
        st.tuples(st.just("right"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.sampled_from([1, 29, 31, 3600, 90_000])),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_right_keys_are_accepted_whatever_else_their_address_does(
    steps: list[tuple[str, int]],
) -> None:
    keyed, ledger = counted()
    keys = [keyed.key(scopes=frozenset({Scope.READ})) for _ in range(4)]
    numbers = itertools.count()
    clock = keyed.world.clock
    began, restarts, right = clock.now(), 0, 0
    for step, value in steps:
        if step == "random":
            for _ in range(value):
                answer = keyed.ask("GET", "/v1/jobs", wrong(next(numbers)))
                assert answer.status_code in (401, 429)
        elif step == "forged":
            answer = keyed.ask("GET", "/v1/jobs", forged(keys[value]))
            assert answer.status_code in (401, 429)
        elif step == "malformed":
            assert keyed.ask("GET", "/v1/jobs", "gw_").status_code in (401, 429)
        elif step == "right":
            right += 1
            assert keyed.ask("GET", "/v1/jobs", keys[value]).status_code == 200
        elif step == "wait":
            clock.advance(value)
        else:
            restarts += 1
            keyed = Keyed(failure_limit=LIMIT, ledger=ledger, world=keyed.world)
    lives = 1 + restarts
    days = 1 + (clock.now() - began) // EXISTS_SECONDS
    seconds = clock.now() - began
    reserve = lives * RESERVE_BURST + RESERVE_PER_SECOND * seconds
    assert ledger.reads <= right + lives * (PER_ADDRESS + len(keys) * days) + reserve
    assert ledger.lists <= lives + (clock.now() - began) / LIST_SECONDS


@given(st.lists(st.tuples(st.integers(0, 60), st.floats(0, 30)), max_size=20))
def test_a_token_bucket_allows_its_burst_and_then_its_rate(
    attempts: list[tuple[int, float]],
) -> None:
    clock = ManualClock()
    bucket = TokenBucket(burst=20, per_second=2.0, clock=clock)
    began, allowed = clock.now(), 0
    for count, seconds in attempts:
        allowed += sum(bucket.take() for _ in range(count))
        assert allowed <= 20 + 2.0 * (clock.now() - began) + 1
        clock.advance(seconds)
    clock.advance(0.5001)
    assert bucket.take()


def test_a_secret_is_forged_only_where_the_key_is_known() -> None:
    keyed, _ = counted()
    key = keyed.key()
    ring = keyed.site.access.keyring
    assert ring is not None
    right, other = PresentedKey.parse(key), PresentedKey.parse(forged(key))
    assert right is not None
    assert other is not None

    assert not ring.is_forged(other)  # nothing is known of it yet
    ring.look_up(right.id)

    assert ring.is_forged(other)
    assert not ring.is_forged(right)
