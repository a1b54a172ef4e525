"""Sets of task numbers, written as runs: "0-99", "17".  Pure.

A job of a million tasks has few runs, as tasks are sent, computed and settled in chunks of
consecutive ones.  Any texts that name the same tasks make equal sets, however they overlap.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import InvalidMessage
from gridwell.engine.limits import MAX_TASKS
from gridwell.engine.printable import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NUMBER: Final = r"(0|[1-9][0-9]{0,6})"
_RUN: Final = re.compile(f"{_NUMBER}(?:-{_NUMBER})?")
_QUOTED: Final = 40  #: characters of a faulty run in an error


@dataclass(frozen=True, slots=True)
class TaskSet:
    """Numbers of tasks.

    Args:
        runs: first number and the one after the last of each run; rising, with a gap between any
            two.  Make sets by the class methods, which see to that.
    """

    runs: tuple[tuple[int, int], ...] = ()

    @classmethod
    def span(cls, first: int, stop: int) -> TaskSet:
        """Return the tasks from `first` to the one before `stop`."""
        return cls(((first, stop),) if first < stop else ())

    @classmethod
    def of(cls, numbers: Iterable[int]) -> TaskSet:
        """Return the set of these numbers, in whatever order and however often they are given."""
        return _joined((number, number + 1) for number in set(numbers))

    @classmethod
    def parse(cls, text: str) -> TaskSet:
        """Return the tasks of one run.

        Raises:
            InvalidMessage: if the text is not a run as `texts` writes it.
        """
        return cls((_run(text),))

    @classmethod
    def read(cls, texts: Iterable[str]) -> TaskSet:
        """Return the tasks of runs that may overlap, in any order.

        Raises:
            InvalidMessage: if one of them is not a run as `texts` writes it.
        """
        return _joined(map(_run, texts))

    @classmethod
    def union(cls, sets: Iterable[TaskSet]) -> TaskSet:
        """Return the tasks that are in any of the sets."""
        return _joined(chain.from_iterable(each.runs for each in sets))

    def texts(self) -> tuple[str, ...]:
        """Return the runs as text, rising: as few as can be."""
        return tuple(
            str(first) if first + 1 == stop else f"{first}-{stop - 1}" for first, stop in self.runs
        )

    def shifted(self, by: int) -> TaskSet:
        """Return the numbers with `by` added to each."""
        return TaskSet(tuple((first + by, stop + by) for first, stop in self.runs))

    def pieces(self, most: int) -> Iterator[TaskSet]:
        """Cut the runs into pieces of at most so many consecutive tasks, rising."""
        for first, stop in self.runs:
            for start in range(first, stop, most):
                yield TaskSet(((start, min(start + most, stop)),))

    @property
    def first(self) -> int:
        """The least number.

        Raises:
            IndexError: if the set is empty.
        """
        return self.runs[0][0]

    @property
    def stop(self) -> int:
        """The number after the greatest, 0 for the empty set."""
        return self.runs[-1][1] if self.runs else 0

    def __len__(self) -> int:
        return sum(stop - first for first, stop in self.runs)

    def __bool__(self) -> bool:
        return bool(self.runs)

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(range(first, stop) for first, stop in self.runs)

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and any(first <= number < stop for first, stop in self.runs)

    def __or__(self, other: TaskSet) -> TaskSet:
        return _joined(chain(self.runs, other.runs))

    def __sub__(self, other: TaskSet) -> TaskSet:
        kept: list[tuple[int, int]] = []
        taken = iter(other.runs)
        out = next(taken, None)
        for first, stop in self.runs:
            at = first
            while out is not None and out[0] < stop:
                if out[0] > at:
                    kept.append((at, out[0]))
                at = max(at, out[1])
                if out[1] > stop:
                    break
                out = next(taken, None)
            if at < stop:
                kept.append((at, stop))
        return TaskSet(tuple(kept))

    def __and__(self, other: TaskSet) -> TaskSet:
        return self - (self - other)

    def __le__(self, other: TaskSet) -> bool:
        return not self - other


NO_TASKS: Final = TaskSet()


def _joined(runs: Iterable[tuple[int, int]]) -> TaskSet:
    """Join runs that overlap or touch."""
    joined: list[tuple[int, int]] = []
    for first, stop in sorted(runs):
        if joined and first <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], stop)
        else:
            joined.append((first, stop))
    return TaskSet(tuple(joined))


def _run(text: object) -> tuple[int, int]:
    found = _RUN.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        shown = excerpt(repr(text), _QUOTED)
        raise InvalidMessage(f"{shown} is not a run of tasks such as '17' or '200-299'")
    first = int(found[1])
    last = first if found[2] is None else int(found[2])
    if last < first or (last == first and found[2] is not None):
        raise InvalidMessage(
            f"the run of tasks {text!r} does not rise; write its lower number first, and a single "
            "task without a dash"
        )
    if last >= MAX_TASKS:
        raise InvalidMessage(f"the run of tasks {text!r} goes beyond task {MAX_TASKS - 1}")
    return first, last + 1
