"""Progress: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol, Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gridwell.engine.job import JobState
from gridwell.engine.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from gridwell.client.status import JobStatus

_QUARTERS: Final = 4


class Bar(Protocol):
    """Shows how far a job has come, between entering and leaving it."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, status: JobStatus, instances: int | None) -> None:
        """Show the job as it is.

        Args:
            status: the job.
            instances: how many run; None if that is not known.
        """

    def count(self, what: str, done: int, total: int) -> None:
        """Show how many of a number of things are done.

        Args:
            what: is done, in a word or two.
            done: how many are.
            total: how many things there are, at least 1.
        """

    def say(self, line: str) -> None:
        """Print a line above the bar."""


@contextmanager
def counting(what: str, total: int, console: Console) -> Iterator[Callable[[], None]]:
    """Show a bar and yield a function to call once for each thing done.

    Args:
        what: is done, in a word or two.
        total: how many things there are, at least 1.
        console: where to show it.
    """
    done = itertools.count(1)
    with bar_on(console) as bar:
        bar.count(what, 0, total)
        yield lambda: bar.count(what, next(done), total)


def bar_on(console: Console) -> Bar:
    """The bar that fits a console."""
    return LiveBar(console) if console.is_terminal else PlainBar(console)


class LiveBar:
    """A moving bar with points per second, chunks and instances."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            # Without markup: what a service says is no instruction to the terminal.
            TextColumn("{task.description:<7}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            TextColumn("{task.fields[rate]}", markup=False),
            TextColumn("{task.fields[counts]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            # Others' lines on stderr go above the bar; stdout holds data and is left alone.
            redirect_stdout=False,
            redirect_stderr=True,
        )
        self._task = self._progress.add_task("job", total=1, words="", rate="", counts="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, status: JobStatus, instances: int | None) -> None:
        """Move the bar."""
        done, total, words = status.measure
        speed = self._progress.tasks[0].finished_speed or self._progress.tasks[0].speed
        self._progress.update(
            self._task,
            description=printable(status.state),
            total=total,
            completed=done,
            words=words,
            rate=f"{speed:,.0f} {status.rate_unit}" if speed and status.rate_unit else "",
            counts=counts(status, instances),
        )

    def count(self, what: str, done: int, total: int) -> None:
        """Move the bar."""
        self._progress.update(
            self._task, description=what, total=total, completed=done, words=f"{done}/{total}"
        )

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(printable(line), highlight=False, markup=False)


class PlainBar:
    """A line at each quarter: logs should not fill with a bar's moves."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._quarter = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, status: JobStatus, instances: int | None) -> None:
        """Print a line if the job has come into another quarter."""
        done, total, words = status.measure
        # 100 % is the answer: all points may be done a moment before the job is.
        passed = _QUARTERS * done // max(total, 1)
        quarter = passed if status.state == JobState.DONE else min(passed, _QUARTERS - 1)
        if quarter > self._quarter:
            self._quarter = quarter
            line = ", ".join(filter(None, (words, counts(status, instances))))
            self.say(f"{100 * quarter // _QUARTERS:3d} %  {line}")

    def count(self, what: str, done: int, total: int) -> None:
        """Print a line if another quarter is done."""
        quarter = _QUARTERS * done // total
        if quarter > max(self._quarter, 0):
            self._quarter = quarter
            self.say(f"{what}: {done} of {total}")

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(printable(line), highlight=False, markup=False, soft_wrap=True)


def counts(status: JobStatus, instances: int | None) -> str:
    """Return parts of the job and instances in words."""
    words = [status.counts, "" if instances is None else f"{instances} instances"]
    return ", ".join(filter(None, words))
