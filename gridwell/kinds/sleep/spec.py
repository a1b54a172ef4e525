"""The sleep kind for the engine: a number of tasks, each of which sleeps for as long."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from gridwell.engine.canonical_json import canonical_json
from gridwell.engine.errors import Fault, InvalidJob, InvalidMessage, OtherVersion
from gridwell.engine.kind import RowsKind, Work
from gridwell.engine.limits import MAX_TASKS

if TYPE_CHECKING:
    from gridwell.engine.job import Job

SLEEP: Final = "sleep"
MAX_SECONDS: Final = 300.0  #: of one task: half of what one chunk may take
MAX_TOTAL_SECONDS: Final = 36_000.0  #: of one job: ten workers in the hour that a job has
_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepSpec:
    """A request for tasks that sleep.

    Attributes:
        seconds: of each task, from 0 to `MAX_SECONDS`.
        count: of the tasks, from 1 to `gridwell.engine.limits.MAX_TASKS`.

    Raises:
        InvalidJob: if a value is out of its range, or the tasks take too long together.
    """

    seconds: float
    count: int = 1

    def __post_init__(self) -> None:
        faults = []
        if not 0 <= self.seconds <= MAX_SECONDS:
            faults.append(
                Fault("/seconds", f"{self.seconds!r} is not a number from 0 to {MAX_SECONDS:g}")
            )
        if not 1 <= self.count <= MAX_TASKS:
            faults.append(
                Fault("/count", f"{self.count!r} is not a whole number from 1 to {MAX_TASKS:,}")
            )
        if not faults and self.total > MAX_TOTAL_SECONDS:
            faults.append(
                Fault(
                    "/count",
                    f"{self.count:,} tasks of {self.seconds:g} s take {self.total:,.0f} s of one "
                    f"worker, more than {MAX_TOTAL_SECONDS:,.0f}; ask for at most "
                    f"{int(MAX_TOTAL_SECONDS / self.seconds):,}",
                )
            )
        if faults:
            raise InvalidJob(*faults)

    @property
    def total(self) -> float:
        """Seconds of all tasks together."""
        return self.seconds * self.count

    def encode(self) -> bytes:
        """Return the spec as it is stored: canonical JSON, so equal requests are one spec."""
        fields = {"version": _VERSION, "seconds": float(self.seconds), "count": self.count}
        return canonical_json({"kind": SLEEP, **fields}).encode()

    @classmethod
    def decode(cls, data: bytes, *, sha: str) -> Self:
        """Return the spec that `encode` gave.

        Args:
            data: the stored bytes.
            sha: their sha256 in hex.

        Raises:
            OtherVersion: if another release wrote it.
            InvalidMessage: if it is damaged.
        """
        if hashlib.sha256(data).hexdigest() != sha:
            raise InvalidMessage(f"the stored spec {sha} is damaged")
        fields = json.loads(data)
        if fields["version"] != _VERSION:
            raise OtherVersion(f"a sleep spec of version {fields['version']!r}")
        return cls(seconds=fields["seconds"], count=fields["count"])


def work_of(spec: SleepSpec) -> Work:
    """Return the work that a request is."""
    data = spec.encode()
    sha = hashlib.sha256(data).hexdigest()
    return Work(
        kind=SLEEP,
        sha=sha,
        encode=lambda: data,
        detail={"seconds": float(spec.seconds), "count": spec.count},
        tasks=spec.count,
        plan=sha,  # tasks are numbered by the spec alone
        seconds=spec.total,
        size=f"{spec.count:,} tasks that sleep {spec.seconds:g} s",
        remedy="ask for fewer tasks or a shorter sleep",
        has_rows=True,
    )


class SleepKind(RowsKind):
    """Tasks that sleep."""

    name = SLEEP

    def seconds(self, job: Job) -> float:
        """Return the seconds of all tasks together."""
        return SleepSpec(**job.detail).total

    def check_spec(self, job: Job, spec: bytes) -> None:
        """Return if a stored spec is a job's."""
        SleepSpec.decode(spec, sha=job.spec)


SLEEP_KIND: Final = SleepKind()
