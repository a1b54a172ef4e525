"""No test asserts that something is fast: a busy machine would break it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.wall_time import upper_bounds

TESTS = Path(__file__).parents[1]
#: The one deadline that all tests share, and programs that measure on request.
MEASURING = ("harness/waiting.py", "load/", "chaos/")


def test_no_test_bounds_wall_time_from_above() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        if not str(path.relative_to(TESTS)).startswith(MEASURING)
        for line in upper_bounds(path.read_text())
    ]

    assert found == [], "count operations, use virtual time, or wait with await_true"


@pytest.mark.parametrize(
    "body",
    [
        "began = time.monotonic()\n  run()\n  assert time.monotonic() - began < 5",
        "began = time.perf_counter()\n  taken = time.perf_counter() - began\n  assert taken <= 5",
        "began = time.time_ns()\n  assert 5 > time.time_ns() - began",
        "ends = time.monotonic() + 5\n  while not done():\n    assert time.monotonic() < ends",
        "began = time.monotonic()\n  assert 0.9 < time.monotonic() - began < 20",
    ],
)
def test_a_bound_from_above_is_found(body: str) -> None:
    assert upper_bounds(f"def test_it():\n  {body}\n") != []


@pytest.mark.parametrize(
    "body",
    [
        "began = time.monotonic()\n  run()\n  assert time.monotonic() - began >= 1",
        "began = clock.monotonic()\n  run()\n  assert clock.monotonic() - began < 5",
        "began = time.thread_time()\n  assert run() < 5",
        "now = time.time()\n  assert claimed(now) < 5",
    ],
)
def test_virtual_time_lower_bounds_and_counts_are_let_be(body: str) -> None:
    assert upper_bounds(f"def test_it():\n  {body}\n") == []
