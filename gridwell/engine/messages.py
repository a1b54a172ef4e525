"""What travels on the queues: versioned JSON, decoded into frozen data or refused."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from gridwell.engine import limits
from gridwell.engine.errors import InvalidMessage, OtherVersion
from gridwell.engine.limits import MESSAGE_BYTES
from gridwell.engine.printable import excerpt
from gridwell.engine.register import Best
from gridwell.engine.rows import MAX_ROWS, Row
from gridwell.engine.task_set import TaskSet

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

VERSION: Final = 2  #: from 2 on, each message of a chunk carries the token of that chunk
TASKS_VERSION: Final = 3  #: of messages that name several tasks: chunks of them, and their rows
ROWS_KIND: Final = "rows"  #: the kind of result that says of each of its tasks what it gave
PAYLOAD_KIND: Final = "series"  #: of a result that has a payload: as release 0.1 called it
ERROR_KIND: Final = "error"  #: the kind of message on the results queue that tells of a failed try
ERROR_TEXT: Final = 500  #: characters of its text
MOST_RECEIVES: Final = 99  #: what it says at most; queues give a message up long before

_ROWS_ENVELOPE: Final = 400  #: bytes of a message of rows, but for its rows and its worker
_COUNTLESS: Final = 10**40  #: no count has as many digits
_QUOTED: Final = 100  #: characters of a faulty value in an error

_SHA = re.compile(r"[0-9a-f]{64}")
_JOB = re.compile(r"[0-9a-f]{32}")
_ATTEMPT = re.compile(r"[0-9a-f]{16}")
_TOKEN = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[a-z][a-z_]{0,31}")
_KEY = re.compile(r"[!-~]{1,128}")  #: of a register
_NAME = re.compile(r"[!-~]{1,256}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    @classmethod
    def decode(cls, text: str) -> Self:
        """The message that `encode` gave.

        Raises:
            OtherVersion: if the text is a message of another version.
            InvalidMessage: if it is none, or a field is not as it should be; unknown fields are
                refused too, as they may matter to whoever wrote them.
        """
        return cls.of_fields(*_fields(text), text)

    @classmethod
    def of_fields(cls, version: int, fields: dict[str, Any], text: str) -> Self:
        """The message of a version that has these fields, read from a text.

        Raises:
            OtherVersion: if no message of this kind has that version here.
            InvalidMessage: if it is none.
        """
        _check_layout(cls._layouts(), version, fields, text)
        return cls(**fields)

    def encode(self) -> str:
        """The message as JSON text."""
        # Field by field: messages are flat, and `asdict` copies what it finds.
        version = self._version()
        fields = {name: getattr(self, name) for name in self._layouts()[version]}
        return json.dumps({"version": version, **fields}, separators=(",", ":"))

    @classmethod
    def _layouts(cls) -> dict[int, list[str]]:
        """The names of the fields of a message of this kind, in each version that there is."""
        return {VERSION: list(cls.__dataclass_fields__)}

    def _version(self) -> int:
        """The version that this message has."""
        return next(iter(self._layouts()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Whose a chunk message is: what messages of every version, also of later ones, say alike."""

    job: str
    attempt: str
    chunk: int
    plan: str
    token: str | None = (
        None  #: None: the message is older than tokens, and none can report on its chunk
    )
    tasks: str | None = None  #: the run of a chunk of several tasks

    def __post_init__(self) -> None:
        _check(self.job, _JOB, "job")
        _check(self.attempt, _ATTEMPT, "attempt")
        _check_count(self.chunk, "chunk")
        _check(self.plan, _SHA, "plan")
        if self.token is not None:
            _check(self.token, _TOKEN, "token")
        _check_several(self.tasks, self.chunk)

    @property
    def task_set(self) -> TaskSet:
        """The tasks of the chunk."""
        return TaskSet.parse(str(self.chunk) if self.tasks is None else self.tasks)

    @classmethod
    def peek(cls, text: str) -> Envelope | None:
        """What can be told of a message that this release need not understand; None: nothing."""
        try:
            fields = json.loads(text)
            names = ("job", "attempt", "chunk", "plan")
            own = {name: fields[name] for name in names}
            return cls(**own, token=fields.get("token"), tasks=fields.get("tasks"))
        except (AttributeError, InvalidMessage, KeyError, RecursionError, TypeError, ValueError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _ChunkMessage(_Message):
    """About a chunk, which may be of several tasks: then it is of the later version."""

    @classmethod
    def _layouts(cls) -> dict[int, list[str]]:
        every = list(cls.__dataclass_fields__)
        return {VERSION: [name for name in every if name != "tasks"], TASKS_VERSION: every}

    def _version(self) -> int:
        return VERSION if getattr(self, "tasks", None) is None else TASKS_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkMessage(_ChunkMessage):
    """Work: one chunk of one attempt of a job.

    It names the plan and the problem; the worker derives the box from the stored plan, so a
    forged or damaged message can never make it compute another box.
    """

    kind: str  #: names the handler that the worker looks up
    job: str
    attempt: str
    chunk: int
    plan: str  #: the plan's sha
    problem: str  #: the problem's sha
    token: str  #: proves that who reports on the chunk received it; see `web_tier.jobs.signer`
    #: Sent once more after it became a dead letter.  In the message, as nothing that forgets or
    #: lags can then take a first death for a second; it is the same chunk all the same.
    again: bool = field(default=False, compare=False)
    tasks: str | None = None  #: the run of a chunk of several tasks, such as "200-299"

    def __post_init__(self) -> None:
        _check(self.kind, _WORD, "kind")
        _check(self.job, _JOB, "job")
        _check(self.attempt, _ATTEMPT, "attempt")
        _check_count(self.chunk, "chunk")
        _check(self.plan, _SHA, "plan")
        _check(self.problem, _SHA, "problem")
        _check(self.token, _TOKEN, "token")
        if not isinstance(self.again, bool):
            raise InvalidMessage(f"again {_quoted(self.again)} is neither true nor false")
        _check_several(self.tasks, self.chunk)

    @property
    def task_set(self) -> TaskSet:
        """The tasks of the chunk."""
        if self.tasks is None:
            return TaskSet.span(self.chunk, self.chunk + 1)
        return TaskSet.parse(self.tasks)

    @property
    def envelope(self) -> Envelope:
        """Whose it is."""
        return Envelope(
            job=self.job,
            attempt=self.attempt,
            chunk=self.chunk,
            plan=self.plan,
            token=self.token,
            tasks=self.tasks,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultMessage(_Message):
    """A finished chunk: what its task gives to the job's register, if anything.

    What key, payload and file mean is the kind's to say; `gridwell.engine.kind.Kind.misfit` looks
    at them.  A result with a payload is written as a kind of its own, as collectors of a release
    that knows no payload leave that alone.
    """

    job: str
    attempt: str
    chunk: int
    plan: str
    token: str  #: of the chunk's message
    best: str | None  #: the register's key; None: the task has nothing for it
    worker: str
    seconds: float  #: of computing, on one core
    digest: str | None = None  #: of the task's stored file; `map` on the wire
    payload: tuple[str, ...] | None = None  #: begins with the key; None: its kind has none

    def __post_init__(self) -> None:
        _check_envelope(self)
        _check(self.worker, _NAME, "worker")
        if self.digest is not None:
            _check(self.digest, _SHA, "map")
        if self.best is not None:
            _check(self.best, _KEY, "best")
        if self.payload is not None:
            _check_payload(self.payload)
            if self.best != (self.payload[0] if self.payload else None):
                raise InvalidMessage(f"best {_quoted(self.best)} does not begin the payload")
        _check_seconds(self.seconds)

    @classmethod
    def of_fields(cls, version: int, fields: dict[str, Any], text: str) -> Self:
        """Return the message of a version that has these fields; errors as of the other kinds."""
        has_payload = fields.get("kind") == PAYLOAD_KIND
        _check_layout({VERSION: _WITH_PAYLOAD if has_payload else _PLAIN}, version, fields, text)
        if not has_payload:
            return cls(**{name: fields[name] for name in _PLAIN - {"map"}}, digest=fields["map"])
        payload = fields["points"]
        _check_payload(payload)
        return cls(
            **{name: fields[name] for name in _RESULT},
            best=payload[0] if payload else None,
            payload=tuple(payload),
        )

    def encode(self) -> str:
        """Return the message as JSON text."""
        fields = {
            "job": self.job,
            "attempt": self.attempt,
            "chunk": self.chunk,
            "plan": self.plan,
            "token": self.token,
        }
        tail = {"worker": self.worker, "seconds": self.seconds}
        if self.payload is None:
            fields |= {"best": self.best, **tail, "map": self.digest}
        else:
            fields = {"kind": PAYLOAD_KIND, **fields, "points": self.payload, **tail}
        return json.dumps({"version": VERSION, **fields}, separators=(",", ":"))

    @property
    def register(self) -> Best | None:
        """Return what the task gives to the job's register."""
        return None if self.best is None else Best(self.best, self.payload or (), self.worker)


_RESULT: Final = frozenset({"job", "attempt", "chunk", "plan", "token", "worker", "seconds"})
_PLAIN: Final = _RESULT | {"best", "map"}
_WITH_PAYLOAD: Final = _RESULT | {"kind", "points"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsMessage(_Message):
    """The rows of tasks of a chunk; a chunk may be reported in several of these."""

    kind: str = ROWS_KIND
    job: str
    attempt: str
    chunk: int  #: the number of the chunk's first task
    tasks: str  #: the chunk's run of tasks: "200-299"; "17" for a chunk of one
    plan: str
    token: str  #: of the chunk's message
    worker: str
    rows: tuple[Row, ...]  #: rising by their tasks

    def __post_init__(self) -> None:
        if self.kind != ROWS_KIND:
            raise InvalidMessage(f"kind {self.kind!r} is not {ROWS_KIND!r}")
        _check_envelope(self)
        _check(self.worker, _NAME, "worker")
        tasks = _check_tasks(self.tasks, self.chunk)
        if not isinstance(self.rows, tuple | list) or not 0 < len(self.rows) <= MAX_ROWS:
            raise InvalidMessage(f"rows are no list of 1 to {MAX_ROWS}")
        rows = tuple(each if isinstance(each, Row) else Row.decode(each) for each in self.rows)
        object.__setattr__(self, "rows", rows)
        if any(one.task >= other.task for one, other in pairwise(rows)):
            raise InvalidMessage("rows do not rise by their tasks, each with a single row")
        if not tasks.first <= rows[0].task <= rows[-1].task < tasks.stop:
            raise InvalidMessage(
                f"rows of tasks {rows[0].task} to {rows[-1].task} lie outside the chunk's tasks "
                f"{self.tasks}"
            )

    @classmethod
    def of(cls, chunk: ChunkMessage, rows: Iterable[Row], *, worker: str) -> list[Self]:
        """Return the messages that carry rows of a chunk: as many as the queue's limit asks for.

        Args:
            chunk: the message of the chunk.
            rows: of its tasks, in any order, one of each.
            worker: that computed them.
        """
        parts: list[list[Row]] = []
        space = 0
        for row in sorted(rows, key=lambda each: each.task):
            size = len(row.line()) + 1
            if size > space or len(parts[-1]) == MAX_ROWS:
                parts.append([])
                space = MESSAGE_BYTES - _ROWS_ENVELOPE - len(worker)
            parts[-1].append(row)
            space -= size
        return [
            cls(
                job=chunk.job,
                attempt=chunk.attempt,
                chunk=chunk.chunk,
                tasks=chunk.tasks or str(chunk.chunk),
                plan=chunk.plan,
                token=chunk.token,
                worker=worker,
                rows=tuple(part),
            )
            for part in parts
        ]

    def encode(self) -> str:
        """The message as JSON text."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        fields["rows"] = [row.encode() for row in self.rows]
        return json.dumps({"version": TASKS_VERSION, **fields}, separators=(",", ":"))

    @classmethod
    def _layouts(cls) -> dict[int, list[str]]:
        return {TASKS_VERSION: list(cls.__dataclass_fields__)}

    @property
    def whole_chunk(self) -> str | None:
        """The chunk's run as its message has it: None for a chunk of one task."""
        return self.tasks if "-" in self.tasks else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorMessage(_ChunkMessage):
    """A failed try of a chunk, on the queue of results; the chunk itself stays in its queue."""

    kind: str = ERROR_KIND
    job: str
    attempt: str
    chunk: int
    plan: str
    token: str  #: of the chunk's message
    worker: str
    code: str  #: stable, one of `gridwell.engine.task_failure`'s or of a later release
    text: str  #: for people
    receives: int  #: how often the chunk's message had been received: the number of the try
    tasks: str | None = None  #: the run of a chunk of several tasks

    def __post_init__(self) -> None:
        if self.kind != ERROR_KIND:
            raise InvalidMessage(f"kind {self.kind!r} is not {ERROR_KIND!r}")
        _check_envelope(self)
        _check(self.worker, _NAME, "worker")
        _check(self.code, _WORD, "code")
        if not _is_text(self.text):
            raise InvalidMessage(f"text {_quoted(self.text)} is no text of {ERROR_TEXT} at most")
        # It ends in logs, on pages and on terminals: a line end or an escape would forge or move
        # what stands there.
        object.__setattr__(self, "text", _fitting(self.text))
        _check_count(self.receives, "receives")
        if self.receives > MOST_RECEIVES:
            raise InvalidMessage(f"receives {_quoted(self.receives)} is more than {MOST_RECEIVES}")
        _check_several(self.tasks, self.chunk)

    @classmethod
    def of(
        cls, chunk: Envelope, *, worker: str, code: str, text: str, receives: int
    ) -> ErrorMessage:
        """The message of a failed try, its text cut to what a message takes.

        Raises:
            InvalidMessage: if the chunk's message had no token.
        """
        return cls(
            job=chunk.job,
            attempt=chunk.attempt,
            chunk=chunk.chunk,
            plan=chunk.plan,
            token=chunk.token or "",
            worker=worker,
            code=code,
            text=_fitting(text),
            receives=min(receives, MOST_RECEIVES),
            tasks=chunk.tasks,
        )


Report: TypeAlias = ResultMessage | RowsMessage | ErrorMessage


def decode_report(text: str) -> Report:
    """What a worker sent to the queue of results.

    Raises:
        OtherVersion: if another release wrote it.
        InvalidMessage: if it is no such message.
    """
    version, fields = _fields(text)
    kind = fields.get("kind")
    if "kind" not in fields:
        return ResultMessage.of_fields(version, fields, text)
    if isinstance(kind, str) and kind in _REPORTS:
        return _REPORTS[kind].of_fields(version, fields, text)
    raise OtherVersion(f"a result of kind {str(kind)[:32]!r}, which this release has not")


_REPORTS: Final[dict[str, type[ResultMessage | RowsMessage | ErrorMessage]]] = {
    ERROR_KIND: ErrorMessage,
    PAYLOAD_KIND: ResultMessage,
    ROWS_KIND: RowsMessage,
}


def _fields(text: str) -> tuple[int, dict[str, Any]]:
    """The version of a message, and its other fields."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"{_quoted(text)} is not JSON") from error
    version = fields.get("version") if isinstance(fields, dict) else None
    # Not by ==, because 1.0 and True equal 1 too.
    if not isinstance(version, int) or isinstance(version, bool):
        raise InvalidMessage(f"{_quoted(text)} is not a message with a version")
    return version, {name: value for name, value in fields.items() if name != "version"}


def _is_text(value: Any) -> bool:
    try:
        value.encode()
    except (AttributeError, UnicodeEncodeError):
        return False
    return len(value) <= ERROR_TEXT


def _fitting(text: str) -> str:
    """Return an error's text as a message takes it: printable, and cut where it is too long."""
    shown = excerpt(text, ERROR_TEXT)
    return shown if len(shown) <= ERROR_TEXT else f"{shown[: ERROR_TEXT - 1]}…"


def _quoted(value: Any) -> str:
    """Return a value as an error shows it: whatever was sent, a short text on one line."""
    try:
        return excerpt(repr(value[:_QUOTED] if isinstance(value, str) else value), _QUOTED)
    except (ValueError, RecursionError):  # a number of thousands of digits, or nested without end
        return f"a value of type {type(value).__name__}"


def _check_layout(
    layouts: Mapping[int, Collection[str]], version: int, fields: dict[str, Any], text: str
) -> None:
    """Return if a message of that version has these fields; errors as of `_Message.of_fields`."""
    if version not in layouts:
        read = " and ".join(map(str, layouts))
        raise OtherVersion(
            f"a message of version {_quoted(version)}, this release reads version {read}"
        )
    if fields.keys() != set(layouts[version]):
        odd = sorted(fields.keys() ^ set(layouts[version]))
        raise InvalidMessage(f"fields {_quoted(odd)} are missing or unknown in {_quoted(text)}")


def _check_payload(payload: Any) -> None:
    if not isinstance(payload, tuple | list) or len(payload) > limits.MAX_PAYLOAD:
        raise InvalidMessage(f"points are no list of at most {limits.MAX_PAYLOAD} keys")
    for text in payload:
        _check(text, _KEY, "a point")


def _check(value: Any, pattern: re.Pattern[str], name: str) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InvalidMessage(f"{name} {_quoted(value)} does not match {pattern.pattern}")


def _check_tasks(value: Any, chunk: int) -> TaskSet:
    """Return the tasks of a chunk, which its number must be the first of."""
    tasks = TaskSet.parse(value)
    if tasks.first != chunk:
        raise InvalidMessage(f"tasks {_quoted(value)} do not begin with chunk {chunk}")
    return tasks


def _check_several(value: Any, chunk: int) -> None:
    """Refuse the run of a chunk of several tasks, where there is one, if it is not its."""
    if value is not None and len(_check_tasks(value, chunk)) == 1:
        raise InvalidMessage(f"tasks {_quoted(value)} of a chunk of one task; leave it out")


def _check_envelope(report: ResultMessage | RowsMessage | ErrorMessage) -> None:
    Envelope(
        job=report.job,
        attempt=report.attempt,
        chunk=report.chunk,
        plan=report.plan,
        token=report.token,
    )
    _check(report.token, _TOKEN, "token")


def _check_seconds(value: Any) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value < float("inf"):
        raise InvalidMessage(f"seconds {_quoted(value)} is not a duration")


def _check_count(value: Any, name: str) -> None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_number or not 0 <= value < _COUNTLESS:
        raise InvalidMessage(f"{name} {_quoted(value)} is not a whole number from 0 on")
