"""The glossary is short, and explains no word twice."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "glossary.md"
ROW = re.compile(r"^\| \*\*(.+?)\*\* \| (.+) \|$", re.MULTILINE)


def test_glossary_has_at_most_45_terms() -> None:
    assert 30 <= len(ROW.findall(PAGE.read_text())) <= 45


def test_glossary_explains_no_term_twice() -> None:
    terms = [term.lower() for term, _ in ROW.findall(PAGE.read_text())]

    assert len(terms) == len(set(terms))


def test_glossary_has_two_columns() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| **")]

    assert [line for line in rows if ROW.fullmatch(line) is None] == []
    assert [line for line in rows if line.replace("\\|", "").count("|") != 3] == []
