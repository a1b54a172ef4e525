"""The JSON of the interface beside that of the kinds, as pydantic models.

The OpenAPI document is made of them.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, Field

from gridwell.engine.job import JobState

#: The component of the OpenAPI document that stands for a job of any kind.
ANY_JOB: Final[dict[str, Any]] = {"$ref": "#/components/schemas/Job"}


class ErrorShown(BaseModel):
    """Why a job failed."""

    code: str
    detail: str


class TaskProgressShown(BaseModel):
    """The tasks of a job that have ended."""

    tasks_done: int
    tasks_failed: int
    tasks_total: int


class PlainLinksShown(BaseModel):
    """Addresses of a job."""

    self: str
    events: str
    page: str


class PlainJobShown(BaseModel):
    """A job of a kind whose JSON has no shape of its own."""

    id: str
    kind: str
    state: str = Field(json_schema_extra={"enum": [state.value for state in JobState]})
    details: dict[str, Any] = Field(description="what its kind says of it")
    progress: TaskProgressShown
    workers: list[str] = Field(description="the workers that reported tasks of it")
    attempt: str
    run: int
    error: ErrorShown | None
    created: str = Field(json_schema_extra={"format": "date-time"})
    finished: str | None = Field(json_schema_extra={"format": "date-time"})
    links: PlainLinksShown


class JobPage(BaseModel):
    """Some jobs, the newest first."""

    jobs: list[Any] = Field(json_schema_extra={"items": ANY_JOB})
    cursor: str | None = Field(description="give it to get the next page; null: there is none")


class QueueShown(BaseModel):
    """The chunk queue's approximate counts; null before the autoscaler first looked."""

    visible: int | None
    in_flight: int | None


class InstanceShown(BaseModel):
    """An instance of the fleet."""

    id: str
    state: str
    slot: int | None
    since: str | None
    busy: int | None
    chunks: int | None


class DecisionShown(BaseModel):
    """Something the autoscaler did, and why."""

    at: str
    reason: str
    start: int
    launch: int
    terminate: int
    stop: int


class HistoryShown(BaseModel):
    """The fleet over the last hour, in columns: a value for each moment of `at`."""

    at: list[int] = Field(description="seconds since 1970, at most one in ten, rising")
    pending: list[int]
    running: list[int]
    stopping: list[int]
    stopped: list[int]
    visible: list[int] = Field(description="chunks waiting in the queue")
    in_flight: list[int] = Field(description="chunks leased by workers")
    cap: list[int]


class RefusalShown(BaseModel):
    """What EC2 would not do, and has not done since."""

    what: str = Field(description="the action, the machine or offer, EC2's code and words")
    code: str = Field(description="EC2's error code, or its reason for an instance's end")
    since: str = Field(description="when it was first so")
    count: int = Field(description="how many times in a row")
    remedy: str = Field(description="what ends it")


class FleetShown(BaseModel):
    """The fleet, as the autoscaler last wrote it."""

    at: str | None = Field(description="when it did; null: it has not yet")
    stale: bool = Field(description="that was too long ago: no autoscaler looks after the fleet")
    autoscaler: str = Field(description="the one that holds the lease, and wrote this")
    instances: list[InstanceShown]
    queue: QueueShown
    cap: int | None
    paused: bool
    held: str = Field(description="why wanted instances cannot be had now; empty: none are missing")
    refusals: list[RefusalShown] = Field(
        description="what EC2 would not do, and has not done since"
    )
    decisions: list[DecisionShown] = Field(description="the latest first")
    history: HistoryShown
    billed_seconds: float = Field(
        description="seconds of instances that EC2 bills, by its rule, since the fleet's first view"
    )
    cost: float = Field(description="of those seconds, in US dollars: an estimate")


#: For who may know it: not where anybody may ask.
_RELEASE: Any = Field(
    None,
    description="the release; left out where access needs keys",
    exclude_if=lambda version: version is None,
)


class Health(BaseModel):
    """This process answers; it says nothing of what it stands on."""

    status: str
    version: str | None = _RELEASE


class ReadinessShown(BaseModel):
    """This process can serve: what it needs answered."""

    status: str
    version: str | None = _RELEASE
    notes: list[str] = Field(description="what is away that it can do without")
