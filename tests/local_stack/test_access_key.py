from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.local_stack.region.access_key import (
    NAMELESS,
    UNKNOWN,
    draw_access_key,
    key_refusal,
)

KEY = "LOCAL" + "0123456789abcdef" * 3


def v4(key: str) -> str:
    scope = f"Credential={key}/20260101/us-east-1/sqs/aws4_request"
    return f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=00"


HEADERS = [
    v4(KEY),
    f"AWS4-HMAC-SHA256 SignedHeaders=host,Credential={KEY}/20260101/us-east-1/s3/aws4_request",
    f"AWS4-ECDSA-P256-SHA256 Credential={KEY}/20260101/s3/aws4_request, Signature=00",
    f"AWS {KEY}:c2lnbmF0dXJl",
    f"Bearer {KEY}",
]
QUERIES = [
    f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KEY}%2F20260101%2Fus-east-1%2Fs3%2Faws4_request",
    f"X-Amz-Credential={KEY}/20260101/us-east-1/s3/aws4_request",
    f"AWSAccessKeyId={KEY}&Signature=00&Expires=1",
]


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_with_the_key_is_served(header: str) -> None:
    assert key_refusal(KEY, authorization=header, query="") is None


@pytest.mark.parametrize("query", QUERIES)
def test_a_presigned_address_with_the_key_is_served(query: str) -> None:
    assert key_refusal(KEY, authorization="", query=query) is None


@pytest.mark.parametrize("wrong", ["local", "a", KEY[:-1], KEY + "0", KEY.lower(), "é"])
def test_a_wrong_key_is_refused_in_every_place(wrong: str) -> None:
    for header in HEADERS:
        given_key = header.replace(KEY, wrong)
        assert key_refusal(KEY, authorization=given_key, query="") == UNKNOWN
    for query in QUERIES:
        assert key_refusal(KEY, authorization="", query=query.replace(KEY, wrong)) == UNKNOWN


@pytest.mark.parametrize(
    ("header", "query"),
    [
        ("", ""),
        ("Basic x", f"key={KEY}"),
        (KEY, ""),
        (f"Bearer  {KEY} {KEY}", ""),
        ("AWS4-HMAC-SHA256 Credential=/20260101/us-east-1/s3/aws4_request", ""),
        ("AWS :x", ""),
        ("", "X-Amz-Credential="),
        ("", f"Other-X-Amz-Credential={KEY}"),
    ],
)
def test_a_call_without_a_key_is_refused(header: str, query: str) -> None:
    assert key_refusal(KEY, authorization=header, query=query) == NAMELESS


@given(st.text(max_size=80), st.text(max_size=80))
def test_nothing_but_the_key_opens(header: str, query: str) -> None:
    assert key_refusal(KEY, authorization=header, query=query) is not None
    assert key_refusal(KEY, authorization=f"AWS4-HMAC-SHA256 {header}", query=query) is not None


def test_each_key_is_another_and_needs_no_escape() -> None:
    assert draw_access_key() != KEY
    assert KEY.isascii()
    assert KEY.isalnum()
    assert len(KEY) > 40


@pytest.mark.parametrize("refusal", [NAMELESS, UNKNOWN])
def test_a_refusal_says_how_to_get_the_key(refusal: object) -> None:
    assert 'eval "$(gridwell local env)"' in str(refusal)
