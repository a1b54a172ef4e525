"""Text from outside is one printable line before it is shown, and shows no secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.errors import DETAIL, MOST_FAULTS, POINTER, Fault, GridwellError, InvalidJob
from gridwell.engine.printable import excerpt, printable

HOSTILE = "x\n2026-01-01 00:00:00 INFO forged\r\x1b[2K\x1b[31m\u202e\u2028\x85\x07\ud800\u200b\x7f"
SECRET = "A" * 43
KEY = f"gw_0123456789ab_{SECRET}"
ANY_TEXT = st.text(st.characters())  # halves of surrogate pairs too


@given(ANY_TEXT)
def test_printable_text_is_printable_and_stays_so(text: str) -> None:
    shown = printable(text)

    assert shown.isprintable()
    assert printable(shown) == shown
    assert shown.encode().decode() == shown


@given(st.text().filter(str.isprintable))
def test_text_that_is_printable_is_left_alone(text: str) -> None:
    assert printable(text) == text


def test_controls_and_marks_of_direction_are_written_as_escapes() -> None:
    assert printable("a\n\x1b[2K\u202eb\ud800") == r"a\n\x1b[2K\u202eb\ud800"


@given(ANY_TEXT, ANY_TEXT, st.integers(1, 300))
def test_an_excerpt_is_short_and_printable_and_shows_no_secret(
    before: str, after: str, longest: int
) -> None:
    shown = excerpt(before + KEY + after, longest)

    assert shown.isprintable()
    assert len(shown) <= longest + 1
    assert "AA" not in shown.replace(printable(before), "").replace(printable(after), "")


def test_an_excerpt_of_a_text_that_fits_is_the_text() -> None:
    assert excerpt("four", 4) == "four"
    assert excerpt("fifth", 4) == "fift…"


def test_a_fault_is_short_and_printable_whatever_it_quotes() -> None:
    fault = Fault("/" + HOSTILE * 10_000, HOSTILE * 10_000)

    assert fault.pointer.isprintable()
    assert fault.detail.isprintable()
    assert (len(fault.pointer), len(fault.detail)) == (POINTER + 1, DETAIL + 1)


def test_a_fault_shows_no_secret() -> None:
    fault = Fault(f"/{KEY}", f"{KEY} is no field")

    assert SECRET not in fault.pointer + fault.detail
    assert fault.pointer == "/gw_0123456789ab_…"


def test_an_error_lists_the_first_faults_and_counts_the_rest() -> None:
    error = InvalidJob(*(Fault(f"/{k}", "is odd") for k in range(1000)))

    assert len(error.faults) == MOST_FAULTS + 1
    assert error.faults[-1] == Fault("", f"{1000 - MOST_FAULTS} more faults are not listed")


@pytest.mark.parametrize("text", [HOSTILE, "plain"])
def test_the_text_of_an_error_is_printable_but_for_its_line_ends(text: str) -> None:
    shown = str(GridwellError(text))

    assert shown.split("\n") == [printable(line) for line in text.split("\n")]
