"""A kind of work that has nothing to do with a grid, for tests of the executor."""

from __future__ import annotations

import json
import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from app_tier.executor.port import KnownTask, Report, Runner, RunTask, TaskFile, TaskOutput
from gridwell.engine.errors import InvalidMessage
from gridwell.engine.task_files import FileType

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TEXTS: Final = FileType(folder="texts", suffix="txt", content_type="text/plain")
ECHO: Final = "tests.harness.echo_kind:RUNNERS"  #: for executors


class EchoRunner(Runner[dict[str, Any]]):
    """Give back what the spec and the task say."""

    def load(self, stored: Path, sha: str) -> dict[str, Any]:
        """See `app_tier.executor.port.Runner`."""
        try:
            spec: dict[str, Any] = json.loads(stored.read_bytes())
        except ValueError as error:
            raise InvalidMessage(f"spec {sha} is damaged") from error
        return {**spec, "loaded_by": os.getpid()}

    def run(
        self,
        spec: dict[str, Any],
        detail: Mapping[str, Any],
        task: int,
        hint: str | None,
        report: Report,
    ) -> TaskOutput:
        """See `app_tier.executor.port.Runner`."""
        if detail.get("dies"):
            os.kill(os.getpid(), signal.SIGKILL)
        for step in range(detail.get("steps", 0)):
            report(step + 1)
            time.sleep(0.01)
        text = f"{spec['word']} {task} {hint}"
        file = TaskFile(type=TEXTS, write=partial(_write, text)) if detail.get("file") else None
        return TaskOutput(best=text, payload=(str(detail.get("word")),), file=file)

    def known_task(self) -> KnownTask:
        """See `app_tier.executor.port.Runner`."""
        return KnownTask(
            kind="echo",
            spec="0" * 64,
            data=b'{"word": "known"}',
            detail={"word": "x"},
            task=3,
            output=TaskOutput(best="known 3 None", payload=("x",)),
            recompute=lambda: "known 3 None",
        )


class WrongRunner(EchoRunner):
    """Offer a known task whose answer is another one."""

    def known_task(self) -> KnownTask:
        """See `app_tier.executor.port.Runner`."""
        known = super().known_task()
        return KnownTask(
            kind=known.kind,
            spec=known.spec,
            data=known.data,
            detail=known.detail,
            task=4,
            output=known.output,
        )


RUNNERS: Final[Mapping[str, Runner[Any]]] = {"echo": EchoRunner()}
WRONG: Final[Mapping[str, Runner[Any]]] = {"echo": WrongRunner()}


def an_echo(ticket: int, task: int = 0, **changes: Any) -> RunTask:
    """Return a task of the kind."""
    fields: dict[str, Any] = {
        "ticket": ticket,
        "kind": "echo",
        "spec": "a" * 64,
        "data": b'{"word": "hello"}',
        "detail": {"word": "detail"},
        "task": task,
    }
    return RunTask(**(fields | changes))


def _write(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
