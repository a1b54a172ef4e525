"""When a request is whole, told from its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine import limits
from web_tier.http_server.request_framing import (
    HEAD_BYTES,
    HEAD_TOO_LARGE,
    LINE_BYTES,
    LINE_TOO_LONG,
    PIECES_TOO_SMALL,
    Framing,
)
from web_tier.request_limits import BODY_TOO_LARGE

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


def posted(length: object) -> bytes:
    return f"POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode()


def after(*pieces: bytes) -> Framing:
    framing = Framing()
    for piece in pieces:
        framing.take(piece)
    return framing


def in_pieces(body: bytes, sizes: list[int], extension: bytes, trailers: bytes) -> bytes:
    """A body as RFC 9112, section 7.1, sends it in pieces."""
    data, at = b"", 0
    for size in sizes:
        piece = body[at : at + size]
        at += size
        if piece:
            data += b"%X%s\r\n%s\r\n" % (len(piece), extension, piece)
    if at < len(body):
        data += b"%x\r\n%s\r\n" % (len(body) - at, body[at:])
    return data + b"0\r\n" + trailers + b"\r\n"


def requests() -> SearchStrategy[bytes]:
    bodies = st.binary(max_size=200)
    plain = bodies.map(lambda body: posted(len(body)) + body)
    pieces = st.builds(
        in_pieces,
        bodies,
        st.lists(st.integers(1, 20), max_size=20),
        st.sampled_from([b"", b";a=b", b' ; a="b c"']),
        st.sampled_from([b"", b"X: 1\r\n", b"X: 1\r\nY: 2\r\n"]),
    )
    return st.one_of(st.just(GET), plain, pieces.map(lambda body: CHUNKED + body))


@given(request=requests(), cuts=st.lists(st.integers(1, 30), max_size=30))
def test_a_request_is_whole_with_its_last_byte_however_it_is_cut(
    request: bytes, cuts: list[int]
) -> None:
    framing, at = Framing(), 0
    for cut in [*cuts, len(request)]:
        assert not framing.whole or at >= len(request)
        framing.take(request[at : at + cut])
        at += cut

    assert framing.whole
    assert framing.certain
    assert framing.refusal is None
    assert not after(request[:-1]).whole


@given(data=st.binary(max_size=300))
def test_whatever_comes_is_followed_without_an_error(data: bytes) -> None:
    for head in (b"", CHUNKED, posted(1000)):
        after(head + data)


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: +5",
        b"Content-Length: 5, 5",
        b"Content-Length: -5",
        b"Content-Length:",
        b"Content-Length : 5",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: xchunked",
    ],
)
def test_two_ways_to_see_the_end_of_a_body_end_the_connection(fields: bytes) -> None:
    framing = after(b"POST / HTTP/1.1\r\n" + fields + b"\r\n\r\nhello")

    assert framing.whole
    assert not framing.certain


def test_pieces_that_are_none_are_left_to_the_parser_to_refuse() -> None:
    for piece in (b"xyz\r\n", b"-1\r\n", b"\r\n", b"1" * 300, b"123456789\r\n"):
        framing = after(CHUNKED + piece)
        assert framing.whole
        assert not framing.certain


@pytest.mark.parametrize("cut", [1, 7, 100_000])
def test_heads_have_a_limit(cut: int) -> None:
    line = b"GET /" + b"a" * LINE_BYTES + b" HTTP/1.1\r\n\r\n"
    fields = b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * HEAD_BYTES + b"\r\n\r\n"

    for data, refusal in ((line, LINE_TOO_LONG), (fields, HEAD_TOO_LARGE)):
        assert after(*(data[at : at + cut] for at in range(0, len(data), cut))).refusal is refusal


def test_bodies_have_a_limit_that_no_way_of_sending_evades() -> None:
    most = limits.MAX_BODY_BYTES
    crumbs = b"1\r\nx\r\n" * 1000

    assert after(posted(most)).refusal is None
    assert after(posted(most + 1)).refusal is BODY_TOO_LARGE
    assert after(CHUNKED + b"%x\r\n" % most).refusal is None
    assert after(CHUNKED + b"%x\r\n" % (most + 1)).refusal is BODY_TOO_LARGE
    assert after(CHUNKED, *[crumbs] * 10).refusal is None
    assert after(CHUNKED, *[crumbs] * 20).refusal is PIECES_TOO_SMALL


def test_a_client_that_asks_first_is_noticed() -> None:
    head = b"POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n"

    assert after(head).continues
    assert not after(posted(3)).continues
