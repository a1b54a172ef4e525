"""What travels on the queues: versioned JSON, decoded into frozen data or refused."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import Any, Final, Self

from gridwell.domain.errors import InvalidMessage
from gridwell.domain.minimum import Minimum

VERSION: Final = 1
MINIMUM_KIND: Final = "minimum"  #: the kind of chunk whose result is its least potential

_SHA = re.compile(r"[0-9a-f]{64}")
_JOB = re.compile(r"[0-9a-f]{32}")
_ATTEMPT = re.compile(r"[0-9a-f]{16}")
_WORD = re.compile(r"[a-z][a-z_]{0,31}")
_NAME = re.compile(r"[!-~]{1,256}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    @classmethod
    def decode(cls, text: str) -> Self:
        """The message that `encode` gave.

        Raises:
            InvalidMessage: if the text is not one of this version, or a field is not as it should
                be; unknown fields are refused too, as they may matter to whoever wrote them.
        """
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidMessage(f"{text[:100]!r} is not JSON") from error
        # As text, because 1.0 and True equal 1 too.
        if not isinstance(fields, dict) or repr(fields.pop("version", None)) != repr(VERSION):
            raise InvalidMessage(f"{text[:100]!r} is not a message of version {VERSION}")
        known = {field.name for field in dataclasses.fields(cls)}
        if fields.keys() != known:
            odd = sorted(fields.keys() ^ known)
            raise InvalidMessage(f"fields {odd} are missing or unknown in {text[:100]!r}")
        return cls(**fields)

    def encode(self) -> str:
        """The message as JSON text."""
        return json.dumps({"version": VERSION, **dataclasses.asdict(self)}, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkMessage(_Message):
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

    def __post_init__(self) -> None:
        _check(self.kind, _WORD, "kind")
        _check(self.job, _JOB, "job")
        _check(self.attempt, _ATTEMPT, "attempt")
        _check_count(self.chunk, "chunk")
        _check(self.plan, _SHA, "plan")
        _check(self.problem, _SHA, "problem")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultMessage(_Message):
    """A finished chunk: its least potential, or None where no point of it qualifies.

    The index may lie outside the chunk: a kernel returns the incumbent where that is less.
    """

    job: str
    attempt: str
    chunk: int
    plan: str
    best: str | None  #: a minimum's key
    worker: str
    seconds: float  #: of computing, on one core

    def __post_init__(self) -> None:
        _check(self.job, _JOB, "job")
        _check(self.attempt, _ATTEMPT, "attempt")
        _check_count(self.chunk, "chunk")
        _check(self.plan, _SHA, "plan")
        _check(self.worker, _NAME, "worker")
        if self.best is not None:
            if not isinstance(self.best, str):
                raise InvalidMessage(f"best {self.best!r} is not text")
            Minimum.from_key(self.best)
        is_number = isinstance(self.seconds, int | float) and not isinstance(self.seconds, bool)
        if not is_number or not 0 <= self.seconds < float("inf"):
            raise InvalidMessage(f"seconds {self.seconds!r} is not a duration")

    @property
    def minimum(self) -> Minimum | None:
        """The least potential found."""
        return None if self.best is None else Minimum.from_key(self.best)


def _check(value: Any, pattern: re.Pattern[str], name: str) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InvalidMessage(f"{name} {value!r} does not match {pattern.pattern}")


def _check_count(value: Any, name: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidMessage(f"{name} {value!r} is not a whole number from 0 on")
