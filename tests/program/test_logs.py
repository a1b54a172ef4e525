"""Lines of a log, for machines and for people."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.program.logs import FORMAT, REQUEST, JsonFormatter, TextFormatter, formatter


def record(message: str = "job %s is done", **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord(
        "web_tier.collector.process", logging.INFO, "f", 1, message, ("a\nb",), None
    )
    made.__dict__.update(extra)
    return made


def test_a_record_is_one_line_of_json_with_its_fields() -> None:
    line = JsonFormatter().format(record(action="job.done", job="ab", code=None))

    assert "\n" not in line
    fields = json.loads(line)
    at = fields.pop("at")
    assert at.endswith("Z")
    assert fields == {
        "action": "job.done",
        "job": "ab",
        "code": None,
        "level": "info",
        "logger": "web_tier.collector.process",
        "message": "job a\nb is done",
    }


def test_an_error_is_there_with_its_stack() -> None:
    error = ValueError("why")
    failed = record(exc_info=(ValueError, error, None))

    assert "ValueError: why" in json.loads(JsonFormatter().format(failed))["error"]


def test_what_json_cannot_hold_is_told_in_words() -> None:
    fields = json.loads(JsonFormatter().format(record(address=b"x", level="mine")))

    assert (fields["address"], fields["level"]) == ("b'x'", "info")


def test_a_line_names_the_request_that_it_belongs_to() -> None:
    token = REQUEST.set("r-1")
    try:
        assert json.loads(JsonFormatter().format(record()))["request"] == "r-1"
    finally:
        REQUEST.reset(token)


@given(st.text(st.characters()))
def test_a_text_record_is_one_printable_line(message: str) -> None:
    line = TextFormatter().format(logging.LogRecord("a.b", 20, "f", 1, "%s", (message,), None))

    assert line.isprintable()


def test_a_text_record_has_its_time_in_utc() -> None:
    made = record()
    made.created = 1_767_225_600.25

    line = TextFormatter().format(made)

    assert line == r"2026-01-01T00:00:00.250Z INFO web_tier.collector.process job a\nb is done"


@given(st.text(st.characters()))
def test_no_line_of_a_stack_passes_for_a_record(words: str) -> None:
    error = ValueError(f"x\n2026-01-01T00:00:00.000Z INFO forged {words}")

    first, *stack = TextFormatter().format(record(exc_info=(ValueError, error, None))).split("\n")

    assert first.endswith(r"job a\nb is done")
    assert stack[0] == "    | ValueError: x"
    assert all(line.startswith("    | ") and line.isprintable() for line in stack)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("asked", "stream", "is_json"),
    [
        ("", io.StringIO(), True),
        ("", Terminal(), False),
        ("text", io.StringIO(), False),
        ("json", Terminal(), True),
        ("xml", Terminal(), False),
    ],
)
def test_people_get_lines_and_machines_get_json(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    asked: str,
    stream: io.StringIO,
    is_json: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    monkeypatch.setenv(FORMAT, asked)

    assert isinstance(formatter(stream), JsonFormatter) is is_json
    assert ("neither json nor text" in capsys.readouterr().err) is (asked == "xml")
