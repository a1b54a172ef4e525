from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from boto3.dynamodb.types import DYNAMODB_CONTEXT
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gridwell.adapters.dynamodb import page_cursor
from gridwell.adapters.dynamodb.job_items import SHARDS, decode_job, encode_job, number
from gridwell.adapters.dynamodb.job_ledger import DynamoJobLedger
from gridwell.engine.errors import InvalidJob, InvalidMessage
from gridwell.engine.job import JobState
from tests.adapters.contract.strategies import stored_jobs, times, words
from tests.harness.builders import a_job, a_problem

if TYPE_CHECKING:
    from gridwell.engine.job import Job
    from tests.adapters.conftest import Aws


@given(job=stored_jobs())
def test_a_job_comes_back_from_its_item_to_the_last_bit(job: Job) -> None:
    back = decode_job(encode_job(job))

    assert back == job
    assert repr(back.detail) == repr(job.detail)  # -0.0 is not 0.0 here


@settings(max_examples=15)
@given(job=stored_jobs())
def test_dynamodb_takes_and_returns_every_item(aws: Aws, job: Job) -> None:
    aws.clients["dynamodb"].put_item(TableName=aws.names["LedgerTable"], Item=encode_job(job))

    read = DynamoJobLedger(aws.clients["dynamodb"], aws.names["LedgerTable"]).read(job.id)
    assert read == job


@given(times)
def test_a_time_survives_as_a_dynamodb_number(time: float) -> None:
    digits = number(time)["N"]

    # DynamoDB keeps 38 digits; the context raises where that would not be enough.
    assert float(DYNAMODB_CONTEXT.create_decimal(Decimal(digits))) == time


@pytest.mark.parametrize(("time", "digits"), [(1700000000.0, "1700000000"), (0.25, "0.25")])
def test_whole_seconds_have_no_point_as_ttl_wants_them(time: float, digits: str) -> None:
    assert number(time) == {"N": digits}


@given(job=stored_jobs())
def test_only_unfinished_jobs_are_in_their_index(job: Job) -> None:
    item = encode_job(job)

    assert ("unfinished" not in item) == job.state.terminal
    assert item.get("unfinished", {"S": "0"})["S"] in SHARDS


def test_the_index_of_unfinished_jobs_is_spread_over_its_shards() -> None:
    problem = a_problem()
    shards = {
        encode_job(a_job(problem, client=str(client)))["unfinished"]["S"] for client in range(64)
    }

    assert shards == set(SHARDS)


@pytest.mark.parametrize(
    "change",
    [
        {"state": {"S": "lost"}},
        {"best": {"N": "5"}},
        {"plan": {"L": []}},
        {"detail": {"S": "no JSON"}},
        {"detail": {"S": "[1]"}},
        {"detail": None},
        {"n": {"N": "1.5"}},
        {"done": {"SS": ["x"]}},
        {"created": {"S": "yesterday"}},
        {"error": {"M": {"code": {"S": "only"}}}},
        {"attempt": None},
    ],
    ids=str,
)
def test_an_item_that_is_no_job_is_named(change: dict[str, Any]) -> None:
    job = a_job(state=JobState.FAILED)
    item = {k: v for k, v in (encode_job(job) | change).items() if v is not None}

    with pytest.raises(InvalidMessage, match=f"job#{job.id}.*does not hold a job"):
        decode_job(item)


@given(job=stored_jobs(), client=words)
def test_a_cursor_points_where_it_was_made_but_for_its_bearer(job: Job, client: str) -> None:
    item = encode_job(job)
    key = {name: item[name] for name in ("pk", "client", "created")}

    assert page_cursor.decode(page_cursor.encode(key), client) == key | {"client": {"S": client}}


def forged(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@example(forged([1e300, "a" * 32]))
@example(forged([float("nan"), "a" * 32]))
@example(forged([-1.0, "a" * 32]))
@example(forged([1, "a" * 32]))
@example(forged([1.0, "a" * 3000]))
@example(forged([1.0, 5]))
@example(forged([1.0]))
@example(forged({"a": 1, "b": 2}))
@given(st.one_of(st.text(max_size=40), st.binary(max_size=40).map(lambda b: b.hex())))
def test_what_is_no_cursor_is_refused_with_its_pointer(text: str) -> None:
    with pytest.raises(InvalidJob) as refusal:
        page_cursor.decode(text, "client")

    assert [fault.pointer for fault in refusal.value.faults] == ["/cursor"]
