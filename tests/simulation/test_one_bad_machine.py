"""One bad machine, no other faults: every sound job is done, whatever the cap."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from app_tier.executor.port import TaskOutcome
from gridwell.engine.task_failure import MACHINE_FAILED, PROCESS_DIED, RAISED
from tests.simulation import compute, simulated_system
from tests.simulation.batch import quiet
from tests.simulation.faults import Faults
from tests.simulation.run_seed import Report, simulate

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.compute import SimulatedCompute

ERROR = "OSError(28, 'No space left on device')"
SEEDS = (0, 2, 4)


def in_slot_0(computing: SimulatedCompute) -> bool:
    """Whether this is any life of any machine in slot 0."""
    host: Any = computing._process._host  # type: ignore[attr-defined]
    instances = computing._process._world.ec2.now()  # type: ignore[attr-defined]
    return bool(next(i.slot for i in instances if i.id == host.instance) == 0)


def first(computing: SimulatedCompute) -> bool:
    """Whether this is the first machine that ever was."""
    host: Any = computing._process._host  # type: ignore[attr-defined]
    return bool(min(host._world.hosts) == host.instance)


def live(
    monkeypatch: pytest.MonkeyPatch,
    *,
    cap: int,
    code: str,
    is_bad: Callable[[SimulatedCompute], bool],
) -> list[Report]:
    """Live through seeds in which computations fail at once on a bad machine."""
    begin, outcome = compute.SimulatedCompute._begin, compute.SimulatedCompute._outcome

    def begun(self: SimulatedCompute, task: Any) -> Any:
        running = begin(self, task)
        if is_bad(self):
            running.ends = self._process.sim.now + 0.05
        return running

    def ended(self: SimulatedCompute, running: Any) -> TaskOutcome:
        if is_bad(self):
            return TaskOutcome(ticket=running.task.ticket, error=ERROR, code=code)
        return outcome(self, running)

    monkeypatch.setattr(compute.SimulatedCompute, "_begin", begun)
    monkeypatch.setattr(compute.SimulatedCompute, "_outcome", ended)
    policy = simulated_system.Policy  # type: ignore[attr-defined]

    def capped(**limits: Any) -> Any:
        return dataclasses.replace(policy(**limits), max_instances=cap)

    monkeypatch.setattr(simulated_system, "Policy", capped)
    with quiet():
        return [simulate(seed, faults=Faults.none) for seed in SEEDS]


@pytest.mark.parametrize("is_bad", [in_slot_0, first])
@pytest.mark.parametrize("cap", [1, 2, 4])
@pytest.mark.parametrize("code", [MACHINE_FAILED, PROCESS_DIED, RAISED])
def test_no_sound_job_fails_by_one_bad_machine(
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    cap: int,
    is_bad: Callable[[SimulatedCompute], bool],
) -> None:
    reports = live(monkeypatch, cap=cap, code=code, is_bad=is_bad)

    assert [report.failure for report in reports] == [None] * len(SEEDS)
    ends = {how for report in reports for how in report.jobs}
    assert ends <= {"done", "failed: no_candidate_point"}
    assert any(report.launches > 1 for report in reports)
