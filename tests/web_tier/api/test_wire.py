"""The grid kinds answer as release 0.1 did, byte for byte."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.web_tier.api.wire import responses

SAMPLES = Path(__file__).parent / "samples" / "wire.json"


def test_responses_of_the_grid_kinds_are_those_of_release_0_1() -> None:
    expected = json.loads(SAMPLES.read_text(encoding="utf-8"))

    actual = responses()

    assert list(actual) == list(expected)
    for name, response in expected.items():
        assert without_event_ids(actual[name]) == without_event_ids(response), name


def without_event_ids(response: dict[str, Any]) -> dict[str, Any]:
    """Leave out what names an event: no client reads it, and an old one is just sent again."""
    return response | {"body": re.sub(r"(?m)^id: [0-9a-f]{16}-[0-9-]+$", "id:", response["body"])}
