"""The services' time, learned from their replies."""

from __future__ import annotations

import math
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from gridwell.adapters.aws import client
from gridwell.adapters.memory import ManualClock, WrongClock
from gridwell.adapters.system_clock import ServiceClock, SystemClock
from tests.harness.builders import NOW

skews = st.floats(-600, 600) | st.sampled_from([-1e9, 1e9])


def test_before_a_reply_it_is_the_machines_own_time() -> None:
    clock = ServiceClock(WrongClock(ManualClock(NOW), ahead=600.0))

    assert clock.now() == NOW + 600
    assert clock.skew is None


@given(skews, st.lists(st.tuples(st.floats(0, 100), st.floats(0, 30), skews), min_size=1))
def test_replies_give_the_true_time_to_a_second_whatever_the_wall_clock(
    ahead: float, calls: list[tuple[float, float, float]]
) -> None:
    right = ManualClock(NOW)
    wrong = WrongClock(right, ahead=ahead)
    clock = ServiceClock(wrong)
    for pause, lasts, step in calls:
        right.advance(pause)
        asked = clock.monotonic()
        right.advance(lasts)
        clock.hear(math.floor(right.now()), asked=asked, answered=clock.monotonic())
        wrong.ahead = step

    known = min(lasts for _, lasts, _ in calls)
    assert abs(clock.now() - right.now()) <= 1.0 + known / 2 + 0.1
    assert clock.skew == pytest.approx(wrong.now() - clock.now())


def test_a_service_of_another_time_is_followed() -> None:
    right = ManualClock(NOW)
    clock = ServiceClock(right)
    clock.hear(NOW, asked=right.monotonic(), answered=right.monotonic())
    clock.hear(NOW + 300, asked=right.monotonic(), answered=right.monotonic())

    assert abs(clock.now() - (NOW + 300)) <= 1.0


def test_the_systems_monotonic_clock_counts_what_the_machine_slept() -> None:
    import time  # noqa: PLC0415 - only this test is about the machine's own clock

    readings = [time.monotonic(), SystemClock().monotonic(), SystemClock().monotonic()]

    assert readings == sorted(readings)


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Any:
        yield self._body


@pytest.mark.parametrize(
    ("date", "heard"),
    [("Tue, 14 Nov 2023 22:13:20 GMT", True), ("yesterday", False), (None, False)],
)
@pytest.mark.system
def test_a_client_keeps_the_clock_right_by_each_reply(date: str | None, *, heard: bool) -> None:
    clock = ServiceClock(WrongClock(ManualClock(NOW), ahead=-181.0))
    made = boto3.client(
        "sqs",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",  # noqa: S106 - nobody is asked
        config=Config(retries={"total_max_attempts": 1}),
    )
    client._keep_time(made, clock)
    headers = HTTPHeaders()
    headers["content-type"] = "application/x-amz-json-1.0"
    if date:
        headers["date"] = date
    reply: Any = AWSResponse("https://sqs", 200, headers, _Raw(b'{"QueueUrls": []}'))
    made.meta.events.register("before-send", lambda **_: reply)

    made.list_queues()

    assert (clock.skew is not None) == heard
    if heard:
        assert clock.skew == pytest.approx(-181.0, abs=1.0)
