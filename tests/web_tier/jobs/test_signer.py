"""Tokens of chunks: each is of one run of tasks of one attempt, and of no other."""

from __future__ import annotations

from dataclasses import replace

from tests.harness.builders import OTHER_ATTEMPT, a_job, a_ledger
from web_tier.jobs.signer import Signer


def test_a_token_is_of_one_run_of_tasks_alone() -> None:
    signer, job = Signer(a_ledger()), a_job()
    token = signer.token(job, 200, "200-299")

    assert signer.is_token(token, job, 200, "200-299")
    assert not signer.is_token(token, job, 200)
    assert not signer.is_token(token, job, 200, "200-300")
    assert not signer.is_token(token, job, 201, "200-299")
    assert not signer.is_token(token, replace(job, attempt=OTHER_ATTEMPT), 200, "200-299")
    assert not signer.is_token(signer.token(job, 200), job, 200, "200-299")
