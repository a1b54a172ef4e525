"""Requests generated from the interface's description; `make fuzz` sends many more."""

from __future__ import annotations

from tests.load.fuzz import fuzz


def test_no_request_breaks_the_web_tier_or_what_its_description_says() -> None:
    found = fuzz(examples=5, seed=1)

    assert found.ok, f"{found.words}\n{found.log}"
    assert found.requests > 100
