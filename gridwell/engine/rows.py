"""Rows: the outcomes of tasks, as messages carry them and segments keep them.  Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gridwell.engine.errors import InvalidMessage
from gridwell.engine.limits import MAX_TASKS
from gridwell.engine.printable import excerpt
from gridwell.engine.task_set import TaskSet

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_ROWS: Final = 1_000  #: in one message
_REASON: Final = re.compile(r"[a-z][a-z_]{0,31}")
_NO_REASON: Final = re.compile("")
_LONGEST: Final = 1e9  #: seconds of a row
_EXITS: Final = range(-64, 256)  #: what a process leaves; below zero the signal that ended it
_SUCCESS: Final = 3  #: values of a row without a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The outcome of one execution of a task.

    Raises:
        InvalidMessage: if a value is not as it should be.
    """

    task: int
    exit: int = 0  #: 0: success
    seconds: float = 0.0  #: of computing, on one core
    reason: str = ""  #: why it failed, as a stable word; empty for a success

    def __post_init__(self) -> None:
        if not _is_whole(self.task) or not 0 <= self.task < MAX_TASKS:
            raise InvalidMessage(f"a row's task {_shown(self.task)} is no number below {MAX_TASKS}")
        if not _is_whole(self.exit) or self.exit not in _EXITS:
            raise InvalidMessage(
                f"the exit {_shown(self.exit)} of task {self.task} is not from {_EXITS.start} to "
                f"{_EXITS.stop - 1}"
            )
        is_number = isinstance(self.seconds, int | float) and not isinstance(self.seconds, bool)
        if not is_number or not 0 <= self.seconds <= _LONGEST:
            raise InvalidMessage(
                f"the seconds {_shown(self.seconds)} of task {self.task} are not a duration"
            )
        object.__setattr__(self, "seconds", float(self.seconds))  # one line for one row
        form = _REASON if self.exit else _NO_REASON
        if not isinstance(self.reason, str) or not form.fullmatch(self.reason):
            raise InvalidMessage(
                f"the reason {_shown(self.reason)} of task {self.task} with exit {self.exit} is "
                "not a word for a failure, or empty for a success"
            )

    @property
    def failed(self) -> bool:
        """True if the task was computed without success."""
        return self.exit != 0

    def encode(self) -> list[Any]:
        """Return the row as JSON holds it."""
        values = [self.task, self.exit, self.seconds]
        return [*values, self.reason] if self.failed else values

    @classmethod
    def decode(cls, value: Any) -> Row:
        """Return the row that `encode` gave.

        Raises:
            InvalidMessage: if it is none.
        """
        if not isinstance(value, list | tuple) or len(value) not in (_SUCCESS, _SUCCESS + 1):
            raise InvalidMessage(f"the row {_shown(value)} is no list of task, exit and seconds")
        task, code, seconds, *reason = value
        if reason == [""]:
            raise InvalidMessage(f"the row {_shown(value)} has an empty reason; leave it out")
        return cls(task=task, exit=code, seconds=seconds, reason=reason[0] if reason else "")

    def line(self) -> str:
        """Return the row as a line of a segment holds it."""
        return json.dumps(self.encode(), separators=(",", ":"))


def shown_rows(rows: Iterable[Row]) -> dict[int, Row]:
    """Return the row of each task that counts, by task: the same for every reader and order.

    Of several rows of a task a success comes before a failure, then the first line in the order
    of text.
    """
    shown: dict[int, Row] = {}
    for row in rows:
        other = shown.get(row.task)
        if other is None or (row.failed, row.line()) < (other.failed, other.line()):
            shown[row.task] = row
    return shown


def outcome(rows: Iterable[Row]) -> tuple[TaskSet, TaskSet]:
    """Return the tasks that rows say are done, and those that they say failed alone."""
    shown = shown_rows(rows).values()
    done = TaskSet.of(row.task for row in shown if not row.failed)
    return done, TaskSet.of(row.task for row in shown if row.failed)


def encode_segment(rows: Iterable[Row]) -> bytes:
    """Return rows as a segment keeps them: a line each, equal for equal sets of rows."""
    lines = {row.line(): row.task for row in rows}
    return "".join(
        f"{line}\n" for line in sorted(lines, key=lambda each: (lines[each], each))
    ).encode()


def decode_segment(data: bytes) -> tuple[Row, ...]:
    """Return the rows of a segment.

    Raises:
        InvalidMessage: if it is none, or is cut short.
    """
    try:
        text = data.decode()
        if text and not text.endswith("\n"):
            raise InvalidMessage("a segment of rows is cut short")
        return tuple(Row.decode(json.loads(line)) for line in text.splitlines())
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"a segment of rows cannot be read: {error}") from error


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    try:
        return excerpt(repr(value), 100)
    except (ValueError, RecursionError):  # a number of thousands of digits, or nested without end
        return f"a value of type {type(value).__name__}"
