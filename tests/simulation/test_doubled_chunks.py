"""Chunks that two workers compute, and one machine whose lies no sampled point disproves."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gridwell.kinds.grid import kind as grid_kind
from gridwell.kinds.grid.minimum import Minimum
from tests.harness.grid_tasks import box_of
from tests.harness.oracle import true_value
from tests.simulation import compute, simulated_system
from tests.simulation.batch import quiet
from tests.simulation.faults import Faults
from tests.simulation.invariants import I1
from tests.simulation.run_seed import Report, simulate
from web_tier.collector import replicas

if TYPE_CHECKING:
    from app_tier.executor.port import TaskOutcome
    from gridwell.kinds.grid.grid import Box
    from gridwell.kinds.grid.problem import Problem
    from tests.simulation.compute import SimulatedCompute

SEEDS = (0, 2, 4, 6, 8, 10, 12, 14)
MACHINES = 4


def highest(problem: Problem, box: Box) -> Minimum | None:
    """The point of a box with the highest true value: the same lie each time."""
    (x, y, z), (far_x, far_y, far_z) = box.low, box.high
    places = itertools.product(range(x, far_x), range(y, far_y), range(z, far_z))
    values = {place: true_value(problem, place) for place in places}
    found = [Minimum(v, problem.grid.linear(*at)) for at, v in values.items() if v is not None]
    return max(found, default=None)


def live(monkeypatch: pytest.MonkeyPatch, *, share: float) -> list[Report]:
    """Live through seeds in which the first machine lies, and no point is sampled."""
    outcome = compute.SimulatedCompute._outcome
    liars: dict[int, str] = {}  #: by seed: the first machine that computes

    def ended(self: SimulatedCompute, running: Any) -> TaskOutcome:
        told, task = outcome(self, running), running.task
        host: Any = self._process._host  # type: ignore[attr-defined]
        if compute.is_self_test(task) or told.best is None or told.payload:
            return told
        if liars.setdefault(self._process.sim.seed, host.instance) != host.instance:
            return told
        self._lies(task.ticket)
        lie = highest(self._known[task.spec].problem, box_of(task))
        return dataclasses.replace(told, best=None if lie is None else lie.key())

    monkeypatch.setattr(compute.SimulatedCompute, "_outcome", ended)
    monkeypatch.setattr(grid_kind, "sampled_points", lambda *_, **__: np.empty(0, np.int64))
    policy = simulated_system.Policy  # type: ignore[attr-defined]
    monkeypatch.setattr(
        simulated_system,
        "Policy",
        lambda **limits: dataclasses.replace(
            policy(**limits), max_instances=MACHINES, chunks_per_instance=1
        ),
    )
    with quiet():
        return [simulate(seed, faults=Faults.none, doubled_share=share) for seed in SEEDS]


def test_a_second_worker_finds_lies_that_no_sampled_point_disproves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reports = live(monkeypatch, share=1.0)

    assert [report.failure for report in reports] == [None] * len(SEEDS)


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (replicas.Replicas, "wanted", lambda *_: False),
        (replicas, "PATIENCE_SECONDS", 0.0),
    ],
    ids=["nothing is compared", "one report counts at once"],
)
def test_lies_are_found_by_the_simulator_where_reports_are_not_compared(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, value: Any
) -> None:
    monkeypatch.setattr(module, name, value)

    reports = live(monkeypatch, share=1.0)

    assert any(report.failure and report.failure.startswith(I1) for report in reports)
