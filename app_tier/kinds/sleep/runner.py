"""The runner of tasks that sleep."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app_tier.executor.port import Report, Runner, TaskOutput
from gridwell.kinds.sleep.spec import SleepSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_SLICE_SECONDS: Final = 0.2  #: between two reports, by which a task is also stopped


@dataclass(frozen=True, slots=True)
class SleepRunner(Runner[SleepSpec]):
    """Sleeps; a task cannot fail.

    Attributes:
        sleep: waits for some seconds.
        monotonic: seconds that never run backwards.
    """

    has_rows = True
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic

    def load(self, stored: Path, sha: str) -> SleepSpec:
        """Read a stored spec."""
        return SleepSpec.decode(stored.read_bytes(), sha=sha)

    def run(
        self,
        spec: SleepSpec,
        detail: Mapping[str, Any],
        task: int,
        hint: str | None,
        report: Report,
    ) -> TaskOutput:
        """Sleep, and report several times a second."""
        del detail, task, hint  # every task is alike
        end = self.monotonic() + spec.seconds
        while (left := end - self.monotonic()) > 0:
            self.sleep(min(left, _SLICE_SECONDS))
            report(0)
        return TaskOutput()


SLEEP_RUNNER: Final = SleepRunner()
