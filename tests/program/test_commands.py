"""Every line that a command prints is printable, wherever its words came from."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gridwell.engine.errors import GridwellError, ServiceBusy
from gridwell.program.commands import echo
from gridwell.terminal import tell
from gridwell.terminal.progress_bar import LiveBar, PlainBar
from web_tier.operator.doctor.findings import Finding, Level, line

HOSTILE = "x\n2026-01-01 job deadbeef is done\r\x1b[2K\x1b[31m\u202e\x07"
ROOT = Path(__file__).parents[2]
PROGRAMS = ("ami", "app_tier", "autoscaler", "gridwell", "web_tier", "workload_generator")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_each_line_that_is_printed_is_one_printable_line(lines: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        written = io.StringIO()
        patch.setattr("sys.stdout", written)

        echo(*lines)

    shown = written.getvalue().removesuffix("\n").split("\n")
    assert len(shown) == len(lines)
    assert all(text.isprintable() for text in shown)


@pytest.mark.parametrize("error", [ServiceBusy(HOSTILE), GridwellError(HOSTILE)])
def test_an_error_of_the_service_cannot_move_the_terminal(
    error: GridwellError, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(error)

    first, second = capsys.readouterr().err.removesuffix("\n").split("\n")
    assert first == "error: x"
    assert second == r"    | 2026-01-01 job deadbeef is done\r\x1b[2K\x1b[31m\u202e\x07"


@pytest.mark.parametrize("kind", [LiveBar, PlainBar])
def test_a_line_above_the_bar_cannot_move_the_terminal(kind: type[LiveBar | PlainBar]) -> None:
    written = io.StringIO()

    kind(Console(file=written, width=300)).say(HOSTILE)

    assert written.getvalue().removesuffix("\n").isprintable()


def test_a_finding_of_the_doctor_cannot_forge_another() -> None:
    told = line(Finding(what="ec2", says=HOSTILE, level=Level.FAILED, do=HOSTILE), width=12)

    assert told.count("\n") == 1
    assert all(part.isprintable() for part in told.split("\n"))


def test_commands_print_by_one_function() -> None:
    printing = {
        str(path.relative_to(ROOT))
        for program in PROGRAMS
        for path in sorted((ROOT / program).rglob("*.py"))
        if re.search(r"\bclick\.(secho|echo)\(", path.read_text())
    }

    assert printing == {"gridwell/program/commands.py"}
