"""A kind of work, as the engine sees it: a few pure functions, looked up by their kind's name.

The engine moves jobs, tasks and reports; a kind says what a report may be, and what the end is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from gridwell.engine.errors import OtherVersion

if TYPE_CHECKING:
    from gridwell.engine.errors import InvalidJob
    from gridwell.engine.job import Job, JobError
    from gridwell.engine.messages import ResultMessage
    from gridwell.engine.register import Best
    from gridwell.engine.replica import Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of a job that has an answer."""

    best: Best  #: the answer's register: it takes the place of the merged one
    record: bytes  #: JSON text by which anybody can check the answer
    answer: bytes | None = None  #: what jobs of an equal spec may end with; None: compute again


@dataclass(frozen=True, slots=True)
class Flaw:
    """Proof that what was merged is wrong."""

    why: str
    #: The task whose reports overlooked it; None: what the register says is wrong in itself.
    task: int | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """Chance drawn by the engine after the report, so that no report can be made to fit it."""

    seed: int
    most: int  #: samples at most, for a check that takes some


def _no_refusal() -> InvalidJob | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The request of a client, described by its kind."""

    kind: str
    sha: str  #: the spec's, in hex
    encode: Callable[[], bytes]  #: gives the spec as it is stored; called once, for a new job
    detail: Mapping[str, Any]  #: what the kind keeps in the job
    tasks: int
    plan: str  #: the sha of how the tasks are numbered
    seconds: float  #: of one core, estimated
    size: str  #: for people, in the plural: "512 points with 20 atoms"
    remedy: str = "ask for less"  #: what makes it cheaper, for people
    has_rows: bool = False  #: whether each task leaves a row; else all share the job's register
    #: Says why no computation can answer it, where that is cheap to know; called for a new job.
    refusal: Callable[[], InvalidJob | None] = _no_refusal
    #: Verifies `Ended.answer` of an equal spec; None: it is damaged or wrong.  Left out where
    #: equal specs share no answer.
    known: Callable[[bytes], Ended | None] | None = None


class Kind(Protocol):
    """A kind of work.  Pure: no I/O, no clock, no chance."""

    @property
    def name(self) -> str:
        """The name on the wire."""

    @property
    def reports_progress(self) -> bool:
        """Return whether workers report how far a task is before it ends."""

    def seconds(self, job: Job) -> float:
        """Return the estimated seconds of one core for a job."""

    def misfit(self, job: Job, report: ResultMessage) -> str | None:
        """Return why a report cannot be of a job, if it cannot."""

    def agree(self, job: Job, one: Replica, other: Replica) -> bool:
        """Return whether two workers' reports of a task can both be true."""

    def check_spec(self, job: Job, spec: bytes) -> None:
        """Return if a stored spec is a job's.

        Raises:
            InvalidMessage: if it is damaged; `OtherVersion` if another release wrote it.
        """

    def end(self, job: Job, spec: bytes, draw: Draw) -> Ended | Flaw | JobError:
        """Verify what is merged of a complete job, and say how the job ends.

        Args:
            job: with every task merged.
            spec: as `Work.encode` gave it.
            draw: for samples.

        Returns:
            The end; or what proves the merged register wrong; or why the job fails for good.

        Raises:
            InvalidMessage: if the spec is damaged; `OtherVersion` if another release wrote it.
        """

    def facts(self, job: Job) -> dict[str, Any]:
        """Return what messages about a job say of it besides what all jobs' say, as JSON."""


class RowsKind(Kind):
    """Base of kinds whose tasks leave rows: the engine ends their jobs by these alone."""

    @property
    def reports_progress(self) -> bool:
        """False: the ends of tasks are the progress."""
        return False

    def misfit(self, job: Job, report: ResultMessage) -> str | None:  # noqa: ARG002 - any is one
        """Return the reason why no report without rows can be of a job."""
        return "a result without rows, and its job's tasks leave rows"

    def agree(self, job: Job, one: Replica, other: Replica) -> bool:  # noqa: ARG002 - there are none
        """Return False: tasks that leave rows are not computed twice."""
        return False

    def end(self, job: Job, spec: bytes, draw: Draw) -> Ended | Flaw | JobError:
        """Raise, as jobs whose tasks leave rows end by their counts."""
        raise NotImplementedError(f"job {job.id} ends by the rows of its tasks")

    def facts(self, job: Job) -> dict[str, Any]:  # noqa: ARG002 - a default
        """Return nothing beside what all jobs' messages say."""
        return {}


Kinds: TypeAlias = Mapping[str, Kind]

NO_KINDS: Final[Kinds] = MappingProxyType({})


def kind_of(kinds: Kinds, job: Job) -> Kind:
    """Return the kind of a job.

    Raises:
        OtherVersion: if this release has none of that name: another one looks after the job.
    """
    kind = kinds.get(job.kind)
    if kind is None:
        raise OtherVersion(f"job {job.id} is of kind {job.kind[:32]!r}, which this release has not")
    return kind
