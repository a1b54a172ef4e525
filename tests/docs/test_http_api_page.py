"""The page of the HTTP API names every route and every field of a submission."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.harness.web_http import Site

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "http-api.md"


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    body: dict[str, Any] = Site().client.get("/openapi.json").json or {}
    return body


def test_every_route_is_on_the_page(description: dict[str, Any]) -> None:
    routes = {
        (method.upper(), path)
        for path, operations in description["paths"].items()
        for method in operations
        if method != "parameters"
    }
    table = PAGE.read_text().partition("## Routes")[2].partition("\n## ")[0]
    named = set()
    for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE):
        last = ("", "")
        for name in re.findall(r"`([^`]+)`", row):
            method, _, path = name.rpartition(" ")
            folder = last[1].rpartition("/")[0]
            last = (method or last[0], path if path.startswith("/") else f"{folder}/{path}")
            named.add(last)

    assert named == routes


def test_every_field_of_a_submission_is_on_the_page(description: dict[str, Any]) -> None:
    fields = set(description["components"]["schemas"]["JobRequest"]["properties"])

    assert [name for name in sorted(fields) if f"`{name}`" not in PAGE.read_text()] == []
