"""What is counted, in words."""

from __future__ import annotations

import pytest

from gridwell.engine.read_jobs import counted


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 atoms"), (1, "1 atom"), (2, "2 atoms"), (2000, "2,000 atoms")]
)
def test_one_of_something_is_no_plural(count: int, words: str) -> None:
    assert counted(count, "atom") == words
