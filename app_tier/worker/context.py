"""State that all parts of a worker share: ports, notes, pauses, and the work of other releases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app_tier.worker.step_report import Note
from gridwell.engine.backoff import Backoff, BackoffPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app_tier.executor.port import Executor, Runner
    from gridwell.engine.errors import ServiceBusy
    from gridwell.engine.ports import Clock, JobLedger, ObjectStore, Queue
    from gridwell.fleet.ports import FleetLedger

REST_SECONDS: Final = 5.0  #: without a receive, after one that brought only others' messages
_REMEMBERED: Final = 300.0  #: seconds
_PAUSE: Final = BackoffPolicy(first=1.0, longest=30.0, jitter=(0.5, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPorts:
    """The outside of a worker."""

    chunks: Queue  #: work
    results: Queue
    store: ObjectStore  #: specs, and the files of tasks
    jobs: JobLedger  #: workers change no job: they read, and report progress
    #: Heartbeats go here and not through the collector: a dead collector must not look like a
    #: dead fleet.
    fleet: FleetLedger
    compute: Executor
    runners: Mapping[str, Runner[Any]]  #: of the kinds that `compute` runs
    clock: Clock
    chance: Callable[[], float]  #: uniform in [0, 1), for jitter
    #: Seconds by which the machine's wall clock is ahead of the services' time; None: unknown.
    skew: Callable[[], float | None] = lambda: None
    check: Callable[[], str] = lambda: ""  #: returns what is wrong with disk or memory, or nothing


class OtherReleaseMessages:
    """Work of other releases that this worker met, and keeps away from.

    A queue gives no choice of messages, and giving one back counts as a receive.  So a worker that
    met nothing but what was given back before lets the queue be for a while: the next receive shall
    be another release's.
    """

    def __init__(self) -> None:
        self._until = float("-inf")
        self._specs: dict[str, tuple[float, str]] = {}
        self._last: tuple[float, str] = (float("-inf"), "")

    def met(self, reason: str, now: float) -> None:
        """Remember, for people, that there was something that this release cannot do."""
        self._last = now + _REMEMBERED, reason

    def rest(self, now: float) -> None:
        """Let the queue be for some seconds."""
        self._until = now + REST_SECONDS

    def left(self, now: float) -> float:
        """Return the seconds of the rest that are left, or 0."""
        return max(0.0, self._until - now)

    def refuse(self, spec: str, reason: str, now: float) -> None:
        """Take no tasks of a spec for some minutes."""
        self._specs = {sha: kept for sha, kept in self._specs.items() if kept[0] > now}
        self._specs[spec] = now + _REMEMBERED, reason

    def reason(self, spec: str, now: float) -> str | None:
        """Return why tasks of a spec are refused, or None if they are not."""
        until, reason = self._specs.get(spec, (now, ""))
        return reason if until > now else None

    def latest(self, now: float) -> str:
        """Return the last thing refused, if that is not long ago; else nothing."""
        until, reason = self._last
        return reason if until > now else ""


class WorkerContext:
    """State that the parts of a worker share.

    Args:
        ports: its outside.
    """

    def __init__(self, ports: WorkerPorts) -> None:
        self.ports = ports
        self.notes: list[Note] = []  #: of this step
        self.others = OtherReleaseMessages()
        self.pause = Backoff(_PAUSE)  #: before the next call to a service after one was busy

    @property
    def now(self) -> float:
        """The time, by the monotonic clock."""
        return self.ports.clock.monotonic()

    @property
    def paused(self) -> bool:
        """True while no service is called, as one did not answer."""
        return self.pause.left(self.now) > 0

    def note(self, action: str, text: str, *, serious: bool = True) -> None:
        """Add a note to the report of the step."""
        self.notes.append(Note(f"worker.{action}", text, serious))

    def busy(self, doing: str, error: ServiceBusy) -> None:
        """Pause, as a service did not answer."""
        self.pause.failed(self.now, self.ports.chance())
        self.note("busy", f"{doing}: {error}; trying again soon")
