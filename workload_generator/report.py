"""Report of a run, as JSON and as a table."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from gridwell.engine.printable import printable
from workload_generator.verdicts import Severity, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workload_generator.requests import Mix

_PERCENTILES: Final = (50, 95, 99)
_TOLD: Final = 20  #: faults told one by one
_DETAIL: Final = 400  #: characters


def make_report(
    mix: Mix,
    verdicts: Sequence[Verdict],
    *,
    concurrency: int,
    seconds: float,
    verification_seconds: float,
    largest_fleet: int | None,
) -> dict[str, Any]:
    """Return the report as JSON holds it.

    Args:
        mix: what was asked; with its seed and offset the run can be repeated.
        verdicts: what each answer is worth.
        concurrency: how many requests were under way at a time.
        seconds: from the first POST to the last answer.
        verification_seconds: spent on verifying, afterwards.
        largest_fleet: instances pending or running at most; None: the fleet was never seen.
    """
    worths = Counter(verdict.worth for verdict in verdicts)
    answered = [v for v in verdicts if v.worth in (Severity.VERIFIED, Severity.WRONG)]
    latencies = sorted(verdict.outcome.seconds for verdict in answered)
    return {
        "requests": len(verdicts),
        **{worth.value: worths[worth] for worth in Severity},
        "from_cache": sum(verdict.outcome.from_cache for verdict in answered),
        "largest_fleet": largest_fleet,
        "seconds": seconds,
        "jobs_per_second": len(answered) / seconds if seconds else 0.0,
        "latency_seconds": {f"p{p}": percentile(latencies, p) for p in _PERCENTILES},
        "verification_seconds": verification_seconds,
        "concurrency": concurrency,
        **dataclasses.asdict(mix),
        "errors": dict(Counter(verdict.kind for verdict in verdicts if verdict.kind)),
        "faults": [_fault(v) for v in verdicts if v.worth is not Severity.VERIFIED][:_TOLD],
    }


def percentile(rising: Sequence[float], percent: int) -> float | None:
    """Return the least value that `percent` of all do not exceed (nearest rank), or None."""
    if not rising:
        return None
    return rising[max(0, math.ceil(len(rising) * percent / 100) - 1)]


def succeeded(report: dict[str, Any]) -> bool:
    """Return True if every answer arrived and was right."""
    return bool(report["verified"] == report["requests"])


def table(report: dict[str, Any]) -> str:
    """Return the report for people, one thing a line."""
    latency = ", ".join(
        f"{name} {'-' if value is None else f'{value:.3f} s'}"
        for name, value in report["latency_seconds"].items()
    )
    fleet = report["largest_fleet"]
    lines = {
        "requests": f"{report['requests']}, {report['concurrency']} at a time",
        **{worth.value: str(report[worth.value]) for worth in Severity},
        "from the cache": str(report["from_cache"]),
        "latency": latency,
        "jobs per second": f"{report['jobs_per_second']:.1f} over {report['seconds']:.1f} s",
        "largest fleet": "never seen" if fleet is None else f"{fleet} instances",
        "verification": f"{report['verification_seconds']:.1f} s, afterwards",
        "the same again": f"--seed {report['seed']} --offset {report['offset']}",
    }
    width = max(map(len, lines)) + 2
    told = [f"{name:<{width}}{value}" for name, value in lines.items()]
    told += [f"{fault['worth']}: {printable(_words(fault))}" for fault in report["faults"]]
    untold = report["requests"] - report["verified"] - len(report["faults"])
    if untold:
        told.append(f"… and {untold} more")
    return "\n".join(told)


def _fault(verdict: Verdict) -> dict[str, Any]:
    job, request = verdict.outcome.job or {}, verdict.outcome.request
    return {
        "worth": verdict.worth.value,
        "kind": verdict.kind,
        "detail": verdict.detail[:_DETAIL],
        "job": job.get("id"),
        "number": request.number,
        "grid_size": request.grid_size,
        "atom_count": request.atom_count,
    }


def _words(fault: dict[str, Any]) -> str:
    job = f"job {fault['job']}" if fault["job"] else "no job"
    return (
        f"request {fault['number']} (grid {fault['grid_size']}, {fault['atom_count']} atoms, "
        f"{job}): {fault['kind']}: {fault['detail']}"
    )
