from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app_tier.executor.port import TaskOutput
from app_tier.kinds.sleep.runner import SLEEP_RUNNER, SleepRunner
from gridwell.adapters.memory import ManualClock
from gridwell.kinds.sleep.spec import SleepSpec, work_of

if TYPE_CHECKING:
    from pathlib import Path


def test_stored_spec_is_loaded(tmp_path: Path) -> None:
    work = work_of(SleepSpec(seconds=0.5, count=3))
    stored = tmp_path / "spec"
    stored.write_bytes(work.encode())

    assert SLEEP_RUNNER.load(stored, work.sha) == SleepSpec(seconds=0.5, count=3)


@pytest.mark.parametrize("seconds", [0.0, 0.05, 7.3])
def test_task_sleeps_for_its_seconds(seconds: float) -> None:
    clock = ManualClock()
    runner = SleepRunner(sleep=clock.sleep, monotonic=clock.monotonic)
    start = clock.monotonic()

    output = runner.run(SleepSpec(seconds=seconds), {}, 0, None, lambda _: None)

    assert output == TaskOutput()
    assert clock.monotonic() - start == pytest.approx(seconds)


def test_task_that_is_stopped_sleeps_no_longer_than_a_slice() -> None:
    def stop(_progress: int) -> None:
        raise InterruptedError

    clock = ManualClock()
    runner = SleepRunner(sleep=clock.sleep, monotonic=clock.monotonic)
    start = clock.monotonic()

    with pytest.raises(InterruptedError):
        runner.run(SleepSpec(seconds=100.0), {}, 0, None, stop)
    assert clock.monotonic() - start < 1.0
