"""Each answer names its request."""

from __future__ import annotations

import re

from tests.web_tier.http import Site


def test_an_answer_names_its_request_and_no_two_are_alike() -> None:
    client = Site().client
    names = [client.get("/healthz").headers["X-Request-ID"] for _ in range(2)]

    assert names[0] != names[1]
    assert all(re.fullmatch("[0-9a-f]{16}", name) for name in names)


def test_a_name_that_a_proxy_gave_stays_and_one_that_is_none_is_replaced() -> None:
    client = Site().client

    kept = client.get("/nowhere", headers={"X-Request-ID": "Root.1-abc"})
    strange = client.get("/healthz", headers={"X-Request-ID": "a b\u00e9" * 50})

    assert kept.headers["X-Request-ID"] == "Root.1-abc"
    assert re.fullmatch("[0-9a-f]{16}", strange.headers["X-Request-ID"])
