"""What a run comes to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workload_generator.report import make_report, percentile, succeeded, table
from workload_generator.requests import Mix, request
from workload_generator.run import RunOutcome
from workload_generator.verdicts import Severity, Verdict

MIX = Mix(seed=1, offset=7, grid_sizes=(4,), atom_counts=(6,))


def verdict(worth: Severity, *, seconds: float = 1.0, **fields: Any) -> Verdict:
    outcome = RunOutcome(request=request(MIX, 0), seconds=seconds, from_cache=seconds < 0.1)
    return Verdict(outcome=outcome, worth=worth, **fields)


def report(*verdicts: Verdict, **fields: Any) -> dict[str, Any]:
    numbers: dict[str, Any] = {
        "concurrency": 2,
        "seconds": 2.0,
        "verification_seconds": 0.5,
        "largest_fleet": 3,
    }
    return make_report(MIX, verdicts, **{**numbers, **fields})


@pytest.mark.parametrize(("percent", "value"), [(50, 50.0), (95, 95.0), (99, 99.0), (100, 100.0)])
def test_a_percentile_is_a_value_that_was_measured(percent: int, value: float) -> None:
    assert percentile([float(k) for k in range(1, 101)], percent) == value


def test_there_is_no_percentile_of_nothing() -> None:
    assert percentile([], 50) is None


def test_the_report_counts_each_worth_and_measures_only_answers() -> None:
    made = report(
        verdict(Severity.VERIFIED, seconds=0.01),
        verdict(Severity.VERIFIED, seconds=2.0),
        verdict(Severity.MISSING, seconds=300.0, kind="timeout", detail="late"),
    )

    counts = {name: made[name] for name in ("requests", "verified", "wrong", "failed", "missing")}
    assert counts == {"requests": 3, "verified": 2, "wrong": 0, "failed": 0, "missing": 1}
    assert made["latency_seconds"] == {"p50": 0.01, "p95": 2.0, "p99": 2.0}
    assert (made["jobs_per_second"], made["from_cache"], made["largest_fleet"]) == (1.0, 1, 3)
    assert (made["seed"], made["offset"]) == (1, 7)
    assert made["errors"] == {"timeout": 1}
    assert json.loads(json.dumps(made, allow_nan=False))["seconds"] == 2.0


@pytest.mark.parametrize("worth", [Severity.WRONG, Severity.FAILED, Severity.MISSING])
def test_one_answer_that_is_not_verified_spoils_the_run(worth: Severity) -> None:
    assert succeeded(report(verdict(Severity.VERIFIED)))
    assert not succeeded(report(verdict(Severity.VERIFIED), verdict(worth, kind="bad")))


def test_the_table_tells_how_to_repeat_the_run_and_what_went_wrong() -> None:
    wrong = [verdict(Severity.WRONG, kind="wrong_answer", detail="minimum is 1") for _ in range(25)]

    text = table(report(*wrong, largest_fleet=None))

    assert "--seed 1 --offset 7" in text
    assert "wrong: request 7 (grid 4, 6 atoms, no job): wrong_answer: minimum is 1" in text
    assert text.endswith("… and 5 more")
    assert "never seen" in text
