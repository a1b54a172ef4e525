"""The code of a compute process.  It imports the runners, and neither AWS nor logging.

One task at a time.  A task has a cell of three shared numbers.  The child raises the first as the
task moves, and the parent sets the second to stop it.  The third is the progress that the task
reports.
"""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import signal
import threading
import time
from ctypes import Array, c_int64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app_tier.executor.spec_cache import spec_cache
from gridwell.engine.errors import InvalidMessage, OtherVersion
from gridwell.engine.rows import Row

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from app_tier.executor.port import Report, Runner
    from app_tier.executor.spec_cache import SpecKey
    from gridwell.engine.lru_cache import LruCache
    from gridwell.engine.task_files import FileType

CELLS: Final = 2  #: tasks that a child may have: one computing, one waiting for its turn
MOVES, STOP, REPORTED = 0, 1, 2  #: positions in a cell
CELL_SIZE: Final = 3

Counters = Array[c_int64]


class Stopped(Exception):  # noqa: N818 - an order that was followed, not an error
    """The parent wants no result of this task any more."""


class UnknownSpec(Exception):  # noqa: N818 - asks the parent to send it again
    """The parent expected this child to have the spec."""


_specs: LruCache[SpecKey, Any] = spec_cache()
_counters: list[Counters] = []
_runners: dict[str, Runner[Any]] = {}


def begin(counters: Counters, runners: str) -> None:
    """Set the process up; the executor calls it once.

    Args:
        counters: `CELLS` cells.
        runners: the importable name of a mapping from kinds to their runners, as
            `package.module:NAME`.
    """
    _counters.append(counters)
    # A terminal's Ctrl-C and a group's SIGTERM reach children too; the parent decides for them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    _runners.update(pkgutil.resolve_name(runners))


def ready() -> int:
    """Return the process's id, which shows that it is up."""
    return os.getpid()


@dataclass(frozen=True, slots=True)
class Ran:
    """The output of a task, or the rows of several, and how long they took."""

    seconds: float
    best: str | None = None
    payload: tuple[str, ...] | None = None
    file: FileType | None = None  #: of the file that was written; None: there is none
    rows: tuple[Row, ...] | None = None  #: None: the kind has none


def run(
    cell: int,
    key: SpecKey,
    stored: Path | None,
    detail: Mapping[str, Any],
    tasks: range,
    hint: str | None,
    path: Path,
) -> Ran:
    """Run a task, or the tasks of a chunk one after the other.

    Args:
        cell: the number of the task's cell of counters.
        key: names the runner and the spec.
        stored: a file that holds the spec and is removed; None: it was given before.
        detail: what the kind keeps in the job.
        tasks: their numbers in the job: a single one, unless the kind has rows.
        hint: the least value known of the job's register.
        path: for the task's file, if it gives one.

    Raises:
        OtherVersion: if there is no runner of this kind, or none for several tasks.
    """
    counters, start = _counters[0], time.perf_counter()
    moves, stop, reported = (cell * CELL_SIZE + place for place in (MOVES, STOP, REPORTED))

    def report(progress: int) -> None:
        counters[moves] += 1
        counters[reported] = progress
        if counters[stop]:
            raise Stopped

    # First the spec, also for a task that is stopped: the parent counts on it being kept.
    kind, _ = key
    runner = _runners.get(kind)
    if runner is None:
        raise OtherVersion(f"kind {kind!r} is none that this release runs: {', '.join(_runners)}")
    spec = _loaded(runner, key, stored)
    report(0)
    if runner.has_rows:
        rows = tuple(_row(runner, spec, detail, task, report) for task in tasks)
        return Ran(time.perf_counter() - start, rows=rows)
    if len(tasks) != 1:
        raise OtherVersion(f"kind {kind!r} has chunks of one task, and this one has {len(tasks)}")
    output = runner.run(spec, detail, tasks[0], hint, report)
    if output.file is not None:
        output.file.write(path)
    return Ran(
        time.perf_counter() - start,
        output.best,
        output.payload,
        None if output.file is None else output.file.type,
    )


def _row(
    runner: Runner[Any], spec: Any, detail: Mapping[str, Any], task: int, report: Report
) -> Row:
    start = time.perf_counter()
    output = runner.run(spec, detail, task, None, report)
    report(0)
    seconds = round(time.perf_counter() - start, 6)
    if (output.best, output.payload, output.file) != (None, None, None):
        raise ValueError(f"task {task} has a row, and gives a value or a file, which no row keeps")
    try:
        return Row(task=task, exit=output.exit, seconds=seconds, reason=output.reason)
    except InvalidMessage as error:  # the runner is to blame, and not the stored spec
        raise ValueError(str(error)) from error


def _loaded(runner: Runner[Any], key: SpecKey, stored: Path | None) -> Any:
    if stored is None:
        if key not in _specs:
            raise UnknownSpec(key)
        return _specs.get(key)
    try:
        size = stored.stat().st_size
        _specs.drop(key)
        _specs.make_room(size)  # first: two large specs at once fill too much memory
        spec = runner.load(stored, key[1])
    finally:
        stored.unlink(missing_ok=True)
    _specs.put(key, spec, size)
    return spec


def _follow_parent() -> None:
    """End with the parent, however it ends: a process that waits for work would stay for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
