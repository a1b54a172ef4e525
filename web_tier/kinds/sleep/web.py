"""The web side of tasks that sleep."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, Field

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.engine.limits import MAX_TASKS
from gridwell.kinds.sleep.spec import MAX_SECONDS, SleepSpec, work_of
from web_tier.kind import WebKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gridwell.engine.job import Job
    from gridwell.engine.kind import Work

_FIELDS: Final = ("seconds", "count")


class SleepRequest(BaseModel):
    """A number of tasks that each sleep for as long."""

    kind: Literal["sleep"]
    seconds: float = Field(
        description="of each task",
        json_schema_extra={
            "minimum": 0,
            "maximum": MAX_SECONDS,
        },
    )
    count: int = Field(
        default=1,
        description="of the tasks",
        json_schema_extra={
            "minimum": 1,
            "maximum": MAX_TASKS,
        },
    )


class SleepWeb(WebKind):
    """Tasks that sleep, to measure everything but their work."""

    request = SleepRequest
    examples: Mapping[str, Mapping[str, Any]] = {
        "A thousand tasks that sleep 10 ms": {"kind": "sleep", "seconds": 0.01, "count": 1000}
    }

    def read(self, fields: dict[str, Any], kind: str | None) -> Work:
        """Return what the fields of a body ask for."""
        del kind  # no other kind is read here
        faults = [
            Fault(
                f"/{name}", f"{name} is no field of a sleep job; there are {' and '.join(_FIELDS)}"
            )
            for name in fields
            if name not in _FIELDS
        ]
        seconds, count = fields.get("seconds"), fields.get("count", 1)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            faults.append(Fault("/seconds", f"{seconds!r:.100} is not a number of seconds"))
        if isinstance(count, bool) or not isinstance(count, int):
            faults.append(Fault("/count", f"{count!r:.100} is not a whole number of tasks"))
        if faults:
            raise InvalidJob(*faults)
        return work_of(SleepSpec(seconds=fields["seconds"], count=count))

    @contextmanager
    def stored(self, job: Job) -> Iterator[Work | None]:
        """Yield what a job asked, which it keeps itself."""
        yield work_of(SleepSpec(**job.detail))

    def details(self, job: Job) -> Mapping[str, Any]:
        """Return the seconds of each task."""
        return {"seconds": job.detail["seconds"]}
