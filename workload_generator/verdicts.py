"""Verdicts on the results of a run.

Judging comes after the run: brute force beside it would take the cores from what is measured.
"""

from __future__ import annotations

import enum
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gridwell.engine.errors import ServiceError
from workload_generator.service import RequestRefused, ServiceClient
from workload_generator.verify import answer_faults, drawn_faults, record_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workload_generator.requests import Request
    from workload_generator.run import RunOutcome


class Severity(enum.StrEnum):
    """Verdict on one answer."""

    VERIFIED = "verified"  #: right to the last bit
    WRONG = "wrong"
    FAILED = "failed"  #: the service refused the request, or the job failed
    MISSING = "missing"  #: there is no answer, or nothing to check it by


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An outcome and what it is worth."""

    outcome: RunOutcome
    worth: Severity
    kind: str = ""  #: what went wrong, in a word to count
    detail: str = ""  #: the same in a sentence


def judge(outcome: RunOutcome, service: ServiceClient) -> Verdict:
    """Verify the answer of one request, asking the service for what it drew itself."""
    if (verdict := _without_answer(outcome)) is not None:
        return verdict
    try:
        faults = _faults(outcome.request, outcome.job or {}, service)
    except (RequestRefused, ServiceError) as problem:
        return _verdict(outcome, Severity.MISSING, "not_checkable", str(problem))
    if faults:
        return _verdict(outcome, Severity.WRONG, "wrong_answer", "; ".join(faults))
    return Verdict(outcome=outcome, worth=Severity.VERIFIED)


def judge_all(
    outcomes: Sequence[RunOutcome],
    service: ServiceClient,
    *,
    threads: int,
    on_verdict: Callable[[], None] = lambda: None,
) -> list[Verdict]:
    """Verify all outcomes; numpy lets threads work side by side."""
    verdicts = []
    with ThreadPoolExecutor(threads, thread_name_prefix="judge") as pool:
        try:
            for verdict in pool.map(lambda outcome: judge(outcome, service), outcomes):
                verdicts.append(verdict)
                on_verdict()
        except BaseException:
            pool.shutdown(cancel_futures=True)  # Ctrl-C must not wait for all that is left
            raise
    return verdicts


def _without_answer(outcome: RunOutcome) -> Verdict | None:
    """Return the verdict where there is nothing to verify."""
    job = outcome.job
    if outcome.refused:
        return _verdict(outcome, Severity.FAILED, outcome.error, outcome.detail)
    if outcome.error or job is None:
        return _verdict(outcome, Severity.MISSING, outcome.error, outcome.detail)
    if job["state"] == "failed":
        error = job.get("error") or {}
        return _verdict(
            outcome, Severity.FAILED, error.get("code", "failed"), error.get("detail", "no reason")
        )
    if not isinstance(job.get("result"), dict):
        return _verdict(outcome, Severity.MISSING, "no_result", "the job is done and has no result")
    return None


def _faults(wanted: Request, job: dict[str, Any], service: ServiceClient) -> list[str]:
    atoms = wanted.atoms()
    if atoms is not None:
        return answer_faults(wanted, atoms, job)
    atoms = service.atoms(job["id"])
    return (
        drawn_faults(wanted, atoms)
        or answer_faults(wanted, atoms, job)
        or record_faults(atoms, job, service.record(job["id"]))
    )


def _verdict(outcome: RunOutcome, worth: Severity, kind: str, detail: str) -> Verdict:
    return Verdict(outcome=outcome, worth=worth, kind=kind, detail=detail)
