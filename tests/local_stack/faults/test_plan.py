from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.local_stack.faults.injector import Injector
from gridwell.local_stack.faults.kinds import KINDS
from gridwell.local_stack.faults.plan import (
    FaultPlan,
    FaultTarget,
    PlannedFault,
    chance,
    is_program,
    strikes,
)
from gridwell.local_stack.faults.plan_json import InvalidFaultPlan, decode, encode
from gridwell.local_stack.faults.presets import PRESETS, find_plan
from tests.simulation import faults as simulated

if TYPE_CHECKING:
    from pathlib import Path

SEND = FaultTarget(service="sqs", operation="SendMessageBatch", resources=frozenset({"chunks"}))
PUT = FaultTarget(service="dynamodb", operation="PutItem", resources=frozenset({"ledger"}))


def planned(*faults: PlannedFault, seed: int = 7) -> Injector:
    injector = Injector(clock=lambda: 0.0)
    injector.put(FaultPlan(seed=seed, faults=faults))
    return injector


def struck(injector: Injector, kind: str, calls: int, place: FaultTarget = SEND) -> list[bool]:
    return [injector.strike(kind, place, str) is not None for _ in range(calls)]


def read(*faults: dict[str, Any], **more: Any) -> FaultPlan:
    return decode(json.dumps({"faults": faults, **more}))


def words(*faults: dict[str, Any], **more: Any) -> str:
    with pytest.raises(InvalidFaultPlan) as caught:
        read(*faults, **more)
    return str(caught.value)


def test_the_same_seed_gives_the_same_faults_and_another_seed_others() -> None:
    fault = PlannedFault(kind="throttled", probability=0.3, seconds=(0.0, 0.0))

    first, again, other = (
        struck(planned(fault, seed=seed), "throttled", 200) for seed in (1, 1, 2)
    )

    assert first == again != other
    assert 30 < sum(first) < 90


def test_calls_of_another_kind_do_not_shift_the_chances() -> None:
    faults = (
        PlannedFault(kind="reply lost", service="sqs", probability=0.3),
        PlannedFault(kind="reply lost", service="dynamodb", probability=0.3),
    )
    alone, among = planned(*faults), planned(*faults)

    expected = struck(alone, "reply lost", 100)
    mixed = []
    for _ in range(100):
        struck(among, "reply lost", 3, PUT)
        mixed += struck(among, "reply lost", 1)

    assert mixed == expected


def test_the_nth_call_meets_the_fault_and_as_many_after_it_as_told() -> None:
    once = planned(PlannedFault(kind="reply lost", nth=3, times=1))
    twice = planned(PlannedFault(kind="reply lost", nth=1, times=2))

    assert struck(once, "reply lost", 5) == [False, False, True, False, False]
    assert struck(twice, "reply lost", 4) == [True, True, False, False]


def test_only_the_named_calls_count_and_meet_the_fault() -> None:
    fault = PlannedFault(kind="reply lost", resource="chunks", program="web_tier", nth=1, times=1)
    injector = planned(fault)

    assert struck(injector, "reply lost", 3, PUT) == [False] * 3
    assert injector.strike("reply lost", SEND, lambda: "autoscaler run") is None
    assert injector.strike("reply lost", SEND, lambda: "web_tier serve") is not None
    assert injector.injected == {"reply lost": 1}


def test_a_spell_goes_on_for_its_seconds_at_its_operation_alone() -> None:
    now = [0.0]
    injector = Injector(clock=lambda: now[0])
    spell = PlannedFault(kind="throttled", nth=1, times=1, seconds=(5.0, 5.0))
    injector.put(FaultPlan(seed=0, faults=(spell,)))

    found = []
    for now[0] in (0.0, 4.9, 5.1):
        found += struck(injector, "throttled", 1) + struck(injector, "throttled", 1, PUT)

    assert found == [True, False, True, False, False, False]
    assert injector.injected == {"throttled": 2}


def test_a_new_plan_begins_to_count_anew() -> None:
    plan = FaultPlan(seed=0, faults=(PlannedFault(kind="reply lost", nth=1, times=1),))
    injector = Injector()
    injector.put(plan)
    struck(injector, "reply lost", 2)

    injector.put(plan)

    assert injector.injected == {}
    assert struck(injector, "reply lost", 1) == [True]


@given(st.integers(min_value=0), st.integers(0, 100), st.integers(1, 10**9))
def test_a_chance_lies_in_zero_to_one(seed: int, place: int, number: int) -> None:
    assert 0.0 <= chance(seed, place, number) < 1.0


@given(st.floats(0.001, 1.0), st.integers(1, 50), st.integers(0, 50), st.floats(0.0, 0.999))
def test_no_fault_happens_more_often_than_told(
    probability: float, times: int, happened: int, draw: float
) -> None:
    fault = PlannedFault(kind="throttled", probability=probability, times=times)

    happens = strikes(fault, number=1, struck=happened, draw=draw)

    assert happens == (draw < probability and happened < times)


def test_a_program_is_known_by_its_first_words() -> None:
    assert is_program("web_tier", "web_tier serve")
    assert is_program("web_tier serve", "web_tier serve")
    assert not is_program("web_tier serve", "web_tier collect")
    assert not is_program("web", "web_tier serve")


@pytest.mark.parametrize("plan", PRESETS.values(), ids=PRESETS)
def test_a_plan_survives_being_written_and_read(plan: FaultPlan) -> None:
    assert decode(json.dumps(encode(plan))) == plan


def test_what_is_left_out_of_a_plan_gets_the_values_of_its_kind() -> None:
    plan = read({"kind": "delayed", "probability": 0.5}, {"kind": "reply lost", "nth": 2})

    assert plan == FaultPlan(
        seed=0,
        faults=(
            PlannedFault(kind="delayed", probability=0.5, seconds=KINDS["delayed"].seconds),
            PlannedFault(kind="reply lost", nth=2, times=1),
        ),
    )


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "throtled", "nth": 1}, "did you mean 'throttled'?"),
        ({"nth": 1}, "kind is missing"),
        ({"kind": "throttled"}, "either probability (of each call) or nth"),
        ({"kind": "throttled", "nth": 1, "probability": 1}, "either probability"),
        ({"kind": "throttled", "probability": 1.5}, "at most 1, not 1.5"),
        ({"kind": "throttled", "probability": True}, "at most 1, not True"),
        ({"kind": "throttled", "nth": 0}, "nth must be a whole number from 1, not 0"),
        ({"kind": "throttled", "nth": 1, "times": "2"}, "times must be a whole number"),
        ({"kind": "throttled", "nth": 1, "seconds": -1}, "from 0 to 3600, not -1"),
        ({"kind": "throttled", "nth": 1, "seconds": [2, 1]}, "not [2, 1]"),
        ({"kind": "reply lost", "nth": 1, "seconds": 1}, "'reply lost' takes no seconds"),
        ({"kind": "reply lost", "nth": 1, "servce": "sqs"}, "did you mean 'service'?"),
        ({"kind": "reply lost", "nth": 1, "service": 5}, "service must be a text, not 5"),
        ({"kind": "reply lost", "nth": 1, "service": "sqss"}, "service 'sqss' is unknown"),
        ({"kind": "reply lost", "nth": 1, "operation": "PutItem"}, "needs its service"),
        (
            {"kind": "reply lost", "nth": 1, "service": "sqs", "operation": "SendMesage"},
            "sqs has no operation 'SendMesage'; did you mean 'SendMessage'?",
        ),
        ({"kind": "delayed", "nth": 1, "service": "s3"}, "'delayed' happens in sqs, not in 's3'"),
        (
            {"kind": "delayed", "nth": 1, "operation": "ReceiveMessage"},
            "'delayed' happens at SendMessage, SendMessageBatch, not at 'ReceiveMessage'",
        ),
    ],
)
def test_a_plan_that_could_never_strike_is_refused(fault: dict[str, Any], expected: str) -> None:
    assert expected in words(fault)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"faults": {}}', '{"faults": [], "sed": 1}'])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(InvalidFaultPlan):
        decode(text)


def test_all_mistakes_of_a_plan_are_told_together() -> None:
    told = words({"kind": "x", "nth": 1}, {"kind": "reply lost"}, seed=-1)

    assert "seed must be" in told
    assert "faults[0]: kind 'x'" in told
    assert "faults[1]: give either" in told


def test_a_plan_is_found_by_its_name_or_its_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"seed": 3, "faults": [{"kind": "reply lost", "nth": 1}]}')

    assert find_plan("mild") is PRESETS["mild"]
    assert find_plan("mild", seed=5).seed == 5
    assert find_plan(str(path)).seed == 3
    with pytest.raises(InvalidFaultPlan, match=r"neither a preset \(none, mild, wild\) nor a file"):
        find_plan("milt")
    path.write_text("{}")
    with pytest.raises(InvalidFaultPlan, match=str(path)):
        find_plan(str(path))


def test_the_wild_plan_has_every_kind_and_the_mild_one_kills_nobody() -> None:
    wild, mild = ({fault.kind for fault in PRESETS[name].faults} for name in ("wild", "mild"))

    assert wild == set(KINDS)
    assert wild - mild == {"crash before", "crash after", "boot hangs", "access denied"}


def test_a_kind_has_the_same_name_in_the_simulator() -> None:
    own = {"request lost", "throttled", "server error", "keys unprocessed", "reply late"}

    assert set(KINDS) - own <= set(simulated.KINDS)
