"""Jobs of many tasks through submit, worker and collector, in one process on memory doubles."""

from __future__ import annotations

import pytest

from app_tier.executor.port import TaskOutput
from app_tier.kinds.sleep.runner import SleepRunner
from gridwell.engine.count_tasks import count_tasks
from gridwell.engine.job import JobState
from gridwell.kinds.sleep.spec import SleepSpec, work_of
from tests.harness.system import System
from tests.harness.web_http import a_service


@pytest.mark.parametrize("count", [1, 2, 256, 257, 2_500])
def test_every_task_of_a_job_is_done_once(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SleepRunner, "run", lambda *_args: TaskOutput())
    system = System()
    system.machine("one")
    system.machine("two")

    job = a_service(system.world).submit(work_of(SleepSpec(seconds=0.01, count=count)))
    system.run(job)

    ended = system.world.job(job)
    assert (ended.state, ended.error) == (JobState.DONE, None)
    assert count_tasks(system.world.ledger, ended).done == count
