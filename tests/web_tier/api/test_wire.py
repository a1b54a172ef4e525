"""The grid kinds answer as release 0.1 did, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

from tests.web_tier.api.wire import responses

SAMPLES = Path(__file__).parent / "samples" / "wire.json"


def test_responses_of_the_grid_kinds_are_those_of_release_0_1() -> None:
    expected = json.loads(SAMPLES.read_text(encoding="utf-8"))

    actual = responses()

    assert list(actual) == list(expected)
    for name, response in expected.items():
        assert actual[name] == response, name
