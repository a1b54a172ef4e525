"""Reading many jobs of which some may be another release's: they must not hide the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridwell.engine.errors import InvalidMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridwell.engine.job import Job
    from gridwell.engine.ports import JobLedger


def counted(count: int, noun: str) -> str:
    """How many there are of something, in words: 1 atom, 2,000 atoms."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def readable_jobs(
    ledger: JobLedger, jobs: Sequence[str]
) -> tuple[dict[str, Job], dict[str, InvalidMessage]]:
    """The jobs that exist and can be read, by id, and why others cannot be.

    Raises:
        ServiceBusy: if the ledger does not answer.
    """
    try:
        return ledger.read_many(jobs), {}
    except InvalidMessage:
        pass  # one by one, then: it does not say which
    found: dict[str, Job] = {}
    unreadable: dict[str, InvalidMessage] = {}
    for name in jobs:
        try:
            job = ledger.read(name)
        except InvalidMessage as error:
            unreadable[name] = error
        else:
            if job is not None:
                found[name] = job
    return found, unreadable
