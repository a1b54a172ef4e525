"""How the cost of a function grows with its input, in CPU time of the thread that runs it."""

from __future__ import annotations

import gc
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

FACTOR: Final = 8  #: of the larger input: a quadratic cost grows 64-fold
#: Above what caches and the allocator add to 8, and far below 64.
LINEAR: Final = 24.0
_TRIES: Final = 3


def growth(run: Callable[[T], object], make: Callable[[int], T], size: int) -> float:
    """Return the least CPU time for an input of `FACTOR` times a size, over that for the size.

    CPU time of one thread does not count what other processes do, and the least of several runs
    does not count what this one did besides.
    """
    return _least(run, make(FACTOR * size)) / _least(run, make(size))


@dataclass
class Calls:
    """The calls of Python and C functions that a thread has made."""

    count: int = 0


@contextmanager
def counted_calls() -> Iterator[Calls]:
    """Count the calls of this thread while the context lasts: the same number on every machine."""
    calls = Calls()

    def see(_frame: object, event: str, _argument: object) -> None:
        if event in ("call", "c_call"):
            calls.count += 1

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def listed(item: str, size: int) -> str:
    """Return a JSON list of one item again and again, of so many bytes."""
    return f"[{','.join([item] * (size // (len(item) + 1)))}]"


def named(size: int) -> str:
    """Return the names of a JSON object, each with a value, of so many bytes."""
    return ",".join(f'"n{k:06x}":1' for k in range(size // 12))


def _least(run: Callable[[T], object], value: T) -> float:
    taken = []
    gc.disable()
    try:
        for _ in range(_TRIES):
            began = time.thread_time()
            run(value)
            taken.append(time.thread_time() - began)
    finally:
        gc.enable()
    return min(taken)
