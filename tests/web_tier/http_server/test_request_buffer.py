"""How long a client may take to send its request."""

from __future__ import annotations

from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from web_tier.http_server.request_buffer import (
    BODY_RATE,
    BODY_SECONDS,
    FIRST_SECONDS,
    HEAD_SECONDS,
    IN_MEMORY_BYTES,
    RequestBuffer,
)

HEAD = b"POST / HTTP/1.1\r\nContent-Length: 60000000\r\n\r\n"


def test_the_first_byte_has_its_time() -> None:
    with (
        closing(RequestBuffer(100.0)) as first,
        closing(RequestBuffer(100.0, idle_seconds=75.0)) as later,
    ):
        assert first.deadline == 100.0 + FIRST_SECONDS
        assert later.deadline == 175.0


@given(gaps=st.lists(st.floats(0.0, 5.0), min_size=1, max_size=20))
def test_bytes_of_a_head_earn_no_more_time(gaps: list[float]) -> None:
    arrival, now = RequestBuffer(0.0), 3.0
    for gap in gaps:
        arrival.take(b"G", now)
        now += gap
    arrival.close()

    assert arrival.deadline == 3.0 + HEAD_SECONDS


@given(sizes=st.lists(st.integers(1, 1 << 16), min_size=1, max_size=20))
def test_a_body_must_keep_a_rate_from_its_beginning(sizes: list[int]) -> None:
    arrival = RequestBuffer(0.0)
    arrival.take(HEAD, 5.0)
    for size in sizes:
        arrival.take(b"x" * size, 6.0)
    arrival.close()

    received = len(HEAD) + sum(sizes)
    assert arrival.deadline == 5.0 + BODY_SECONDS + received / BODY_RATE


def test_what_was_received_is_read_again_however_much_it_is() -> None:
    body = bytes(range(256)) * (IN_MEMORY_BYTES // 100)
    arrival = RequestBuffer(0.0)
    arrival.take(HEAD, 0.0)
    arrival.take(body, 0.0)

    replay = arrival.replay()

    assert replay.recv(len(HEAD)) == HEAD
    assert replay.recv(5) == body[:5]
    assert arrival.read() == body[5:]
    assert replay.recv(5) == b""
    arrival.close()
