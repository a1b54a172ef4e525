"""Waiting for what other threads and processes bring about."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: A bound that only a hang breaks: on a machine with ten busy loops a process takes a minute to
#: start.  No test asserts that something is faster than this.
DEADLINE: Final = 240.0


def await_true(
    condition: Callable[[], object], seconds: float = DEADLINE, *, pause: float = 0.02
) -> None:
    """Wait until a condition holds.

    Raises:
        AssertionError: it still did not hold when the time was up.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds:g} s: {condition}"
        time.sleep(pause)
