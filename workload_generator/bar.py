"""Progress of a run: a live bar on a terminal, a line at each quarter elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_QUARTERS: Final = 4


@contextmanager
def shown(what: str, total: int, file: IO[str]) -> Iterator[Callable[[], None]]:
    """Show progress while the context lasts; call what it gives once for each thing done.

    Args:
        what: is done, in a word or two.
        total: how many things there are, at least 1.
        file: where to show it.
    """
    if file.isatty():
        with _live(what, total, file) as step:
            yield step
    else:
        yield _plain(what, total, file)


@contextmanager
def _live(what: str, total: int, file: IO[str]) -> Iterator[Callable[[], None]]:
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second, not spent on --help
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(file=file)) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def _plain(what: str, total: int, file: IO[str]) -> Callable[[], None]:
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if done * _QUARTERS // total > (done - 1) * _QUARTERS // total:
            print(f"{what}: {done} of {total}", file=file, flush=True)

    return step
