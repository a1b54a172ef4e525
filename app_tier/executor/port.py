"""Ports of the executor: how the worker has tasks run, and what a kind of work implements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from gridwell.engine.task_failure import MACHINE_FAILED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gridwell.engine.rows import Row
    from gridwell.engine.task_files import FileType

Spec = TypeVar("Spec")
#: Called several times a second while a task runs, with the progress that is shown of its job; 0
#: shows none.  It raises to stop the task.
Report = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFile:
    """A file that a task gives beside its result."""

    type: FileType
    write: Callable[[Path], None]  #: writes it to this path


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutput:
    """The result of a task.

    Attributes:
        best: what the job's register takes if it is less; None: nothing.
        payload: what the register keeps with it; None: the kind has no payload.
        file: a file that is stored before the result is sent; None: there is none.
        exit: of a kind whose tasks have rows; 0: success.
        reason: a stable word for a failure; empty for a success.
    """

    best: str | None = None
    payload: tuple[str, ...] | None = None
    file: TaskFile | None = None
    exit: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTask:
    """A task whose output is known: machines test themselves by it.

    Attributes:
        spec: the sha of the stored spec.
        data: the stored spec.
        output: the output of a machine that computes right, which no machine computed itself.
        recompute: computes `best` by another way, which takes longer; None: there is none.
    """

    kind: str
    spec: str
    data: bytes
    detail: Mapping[str, Any]
    task: int
    output: TaskOutput
    recompute: Callable[[], str | None] | None = None

    def run_task(self, ticket: int) -> RunTask:
        """Return the task as an executor takes it."""
        return RunTask(
            ticket=ticket,
            kind=self.kind,
            spec=self.spec,
            data=self.data,
            detail=self.detail,
            task=self.task,
        )

    def flaw(self, outcome: TaskOutcome) -> str:
        """Return the reason why an outcome of this task is wrong, or empty text if it is right."""
        if outcome.error is not None:
            return f"the compute process failed: {outcome.error}"
        found, right = (outcome.best, outcome.payload), (self.output.best, self.output.payload)
        if found != right:
            return f"a task of kind {self.kind!r} gave {found}, the answer is {right}"
        return ""


class Runner(Protocol[Spec]):
    """A kind of work, as compute processes run it.  Implementations derive from this class.

    Attributes:
        has_rows: whether each task's end is a row of its own, and a chunk may have several tasks;
            False: a chunk is one task, whose result is merged into the job's register.
    """

    has_rows: bool = False

    def load(self, stored: Path, sha: str) -> Spec:
        """Read a stored spec.  A process keeps it for the tasks that follow.

        Args:
            stored: a file that holds the spec.
            sha: names the spec.

        Raises:
            OtherVersion: if another release wrote it.
            InvalidMessage: if it is damaged.
        """

    def run(
        self, spec: Spec, detail: Mapping[str, Any], task: int, hint: str | None, report: Report
    ) -> TaskOutput:
        """Run a task.

        Args:
            spec: as `load` read it.
            detail: what the kind keeps in the job.
            task: its number in the job.
            hint: the least value of the job's register that this worker knows; None: none yet.
            report: to be called several times a second; its exceptions must pass.
        """

    def known_task(self) -> KnownTask | None:
        """Return a task of milliseconds for tests of a machine, or None if there is none."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTask:
    """One task to run, or the consecutive tasks of one chunk."""

    ticket: int  #: the worker's own number for it, never used twice
    kind: str  #: names the runner
    spec: str  #: the spec's sha
    data: bytes  #: the stored spec
    detail: Mapping[str, Any]  #: what the kind keeps in the job
    task: int  #: its number in the job; of several the first
    count: int = 1  #: consecutive tasks, one after the other, where the kind has rows
    hint: str | None = None  #: the least value of the job's register that the worker knows


class OutputFile(Protocol):
    """A task's file, kept beside the worker until it is stored."""

    @property
    def type(self) -> FileType:
        """Its type."""

    def read(self) -> bytes:
        """Return its content."""

    def remove(self) -> None:
        """Remove it; once it is gone this does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutcome:
    """The end of a task: it failed if there is an `error`."""

    ticket: int
    best: str | None = None
    payload: tuple[str, ...] | None = None
    rows: tuple[Row, ...] | None = None  #: one a task; None: the kind has none
    file: OutputFile | None = None  #: to be stored before the result is sent
    digest: str | None = None  #: of the file that was stored
    seconds: float = 0.0  #: of computing, on one core
    error: str | None = None
    code: str = MACHINE_FAILED  #: of the error, one of `gridwell.engine.task_failure`'s


class Executor(Protocol):
    """Runs tasks in the order of their submission, some at a time."""

    def submit(self, task: RunTask) -> None:
        """Take a task; it starts when a core is free."""

    def discard(self, ticket: int) -> None:
        """Forget a task: it is not started, or stopped soon, and has no outcome."""

    def progress(self) -> Mapping[int, int]:
        """Return a counter for each task that has started and not ended, by ticket.

        A counter rises while its task moves; it does not say how far the task is.
        """

    def reported(self) -> Mapping[int, int]:
        """Return the progress that unended tasks reported, by ticket; zeros may be left out."""

    def finished(self) -> list[TaskOutcome]:
        """Return the outcomes of tasks that ended, each once."""

    def wait(self, seconds: float) -> None:
        """Return when there is an outcome, or after `seconds`."""
