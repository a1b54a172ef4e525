"""Each answer names its request."""

from __future__ import annotations

import re

from tests.harness.web_http import Site
from web_tier.auth.policy import Access


def test_an_answer_names_its_request_and_no_two_are_alike() -> None:
    client = Site().client
    names = [client.get("/healthz").headers["X-Request-ID"] for _ in range(2)]

    assert names[0] != names[1]
    assert all(re.fullmatch("[0-9a-f]{16}", name) for name in names)


def test_a_name_that_our_proxy_gave_stays_and_one_that_is_none_is_replaced() -> None:
    client = Site(access=Access(proxies=1)).client

    kept = client.get("/nowhere", headers={"X-Request-ID": "Root.1-abc"})

    assert kept.headers["X-Request-ID"] == "Root.1-abc"
    for strange in ("a b\u00e9" * 50, "a" * 65, "", "a\tb", "a;b", "\u0661"):
        replaced = client.get("/healthz", headers={"X-Request-ID": strange})
        assert re.fullmatch("[0-9a-f]{16}", replaced.headers["X-Request-ID"])


def test_a_name_that_anybody_gave_is_not_taken() -> None:
    answer = Site().client.get("/healthz", headers={"X-Request-ID": "forged"})

    assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-ID"])
