"""A kind whose tasks have rows, for executors: odd tasks fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app_tier.executor.port import Report, Runner, TaskOutput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EVEN_RUNNERS: Final = "tests.harness.row_runner:RUNNERS"


@dataclass(frozen=True, slots=True)
class EvenRunner(Runner[bytes]):
    has_rows = True

    def load(self, stored: Path, sha: str) -> bytes:
        del sha
        return stored.read_bytes()

    def run(
        self, spec: bytes, detail: Mapping[str, Any], task: int, hint: str | None, report: Report
    ) -> TaskOutput:
        del spec, hint
        report(0)
        if str(task) in detail:
            output: TaskOutput = detail[str(task)]
            return output
        return TaskOutput(exit=1, reason="odd") if task % 2 else TaskOutput()


RUNNERS: Final[Mapping[str, Runner[Any]]] = {"even": EvenRunner()}
