"""Races: many threads that begin at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

THREADS = 8
T = TypeVar("T")


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make all calls from eight threads that start together; their answers in order."""
    gate = threading.Barrier(min(THREADS, len(calls)))

    def begin() -> None:
        gate.wait()

    with ThreadPoolExecutor(gate.parties, initializer=begin) as pool:
        futures = [pool.submit(call) for call in calls]
        return [future.result() for future in futures]
