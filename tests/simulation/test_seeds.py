"""A few hundred seeds of the simulator, and that it finds what it is there to find."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from app_tier.bench import Bench
from app_tier.output import Output
from autoscaler import demand
from gridwell.adapters.memory import MemoryLedger
from tests.simulation.__main__ import kept_seeds, run
from tests.simulation.faults import KINDS
from tests.simulation.world import simulate
from web_tier.collector import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app_tier.step import Step


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_nothing_is_lost_wrong_or_left_running_in_200_seeds() -> None:
    reports, wrong = run([*range(200), *kept_seeds()])

    assert wrong == []
    # Rare kinds need the 300 seeds of `python -m tests.simulation`.
    happened = {kind for report in reports for kind in report.injected}
    assert len(happened) >= len(KINDS) - 3


def found(seeds: int = 60) -> set[str]:
    """The invariants that do not hold in some seeds."""
    failures = (simulate(seed).failure for seed in range(seeds))
    return {failure.split(":")[0] for failure in failures if failure is not None}


def test_a_worker_that_deletes_before_it_sends_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    send = Output.send

    def delete_first(self: Output, step: Step) -> None:
        for held in self._bench.hand:
            if held.outcome is not None and not self._bench.paused:
                self._bench.ports.chunks.delete(held.receipts)
        send(self, step)

    monkeypatch.setattr(Output, "send", delete_first)

    assert "I5/I6 sent before deleted" in found()


def test_a_ledger_that_closes_a_job_early_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from gridwell.domain.job import Job  # noqa: PLC0415 - only this test breaks it

    monkeypatch.setattr(Job, "complete", property(lambda job: len(job.done) >= 1))

    assert found() & {"I1 minimum", "I2 no early done"}


def test_a_fleet_that_ignores_the_last_chunks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand, "want", lambda depth, _policy: depth.visible // 4)

    assert found() & {"I11/I13 at rest", "I12 work is served"}


def test_a_collector_that_deletes_without_merging_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Collector, "_collect", lambda *_args: None)

    assert "I6 merged before deleted" in found()


def test_a_worker_that_drops_wanted_chunks_as_void_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Bench, "drop_void", lambda self, _step, held: self.done_with(held) or True)

    assert "I5/I6 sent before deleted" in found()


def test_a_merge_that_overwrites_the_set_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    merge = MemoryLedger.merge

    def overwrite(
        self: MemoryLedger, job: str, attempt: str, *args: object, **kw: object
    ) -> object:
        from dataclasses import replace  # noqa: PLC0415

        merged = merge(self, job, attempt, *args, **kw)  # type: ignore[arg-type]
        if merged is not None:
            self._jobs[job] = merged = replace(merged, done=args[0])  # type: ignore[arg-type]
        return merged

    monkeypatch.setattr(MemoryLedger, "merge", overwrite)

    assert "I3 monotone" in found()
