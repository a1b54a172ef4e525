"""One suite for the record of what operators did, on DynamoDB and in memory."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from gridwell.access.quota import DAY_SECONDS
from gridwell.adapters.dynamodb import audit_log
from gridwell.adapters.dynamodb.audit_log import DynamoAuditLog, caller_name
from gridwell.adapters.memory.audit import MemoryAuditLog
from gridwell.engine.audit import KEPT_DAYS
from gridwell.engine.errors import ServiceBusy
from tests.harness.threads import at_once

if TYPE_CHECKING:
    from gridwell.engine.audit import AuditLog
    from tests.adapters.conftest import Aws

_days = itertools.count(20_000, 100)


@pytest.fixture
def log(backend: str, request: pytest.FixtureRequest) -> AuditLog:
    if backend == "memory":
        return MemoryAuditLog()
    aws: Aws = request.getfixturevalue("aws")
    return DynamoAuditLog(
        aws.clients["dynamodb"], aws.names["LedgerTable"], operator=lambda: "an operator"
    )


@pytest.fixture
def day() -> int:
    """One on which nothing was done yet."""
    return next(_days)


def test_what_was_done_comes_back_the_newest_first(log: AuditLog, day: int) -> None:
    first = log.note("keys.create", subject="k1", now=day * DAY_SECONDS + 1.5, detail="client=a")
    later = log.note("keys.revoke", subject="k1", now=day * DAY_SECONDS + 9.0)
    other = log.note("fleet.pause", subject="blue", now=(day + 1) * DAY_SECONDS)

    assert log.acts(first_day=day, last_day=day + 1) == (other, later, first)
    assert log.acts(first_day=day, last_day=day) == (later, first)
    again = log.note("keys.revoke", subject="k2", now=day * DAY_SECONDS + 9.0)
    assert log.acts(first_day=day, last_day=day) == (again, later, first)
    assert (first.operator, first.action, first.subject) == ("an operator", "keys.create", "k1")
    assert (first.at, first.detail) == (day * DAY_SECONDS + 1.5, "client=a")


def test_days_on_which_nothing_was_done_are_empty(log: AuditLog, day: int) -> None:
    assert log.acts(first_day=day, last_day=day + 9) == ()


def test_of_acts_at_once_none_is_lost(log: AuditLog, day: int) -> None:
    at_once([lambda: log.note("fleet.cap", subject="blue", now=day * DAY_SECONDS)] * 8)

    assert len(log.acts(first_day=day, last_day=day)) == 8


# What only DynamoDB can do.


def test_dynamodb_keeps_a_day_for_more_than_a_year(aws: Aws, day: int) -> None:
    dynamodb, table = aws.clients["dynamodb"], aws.names["LedgerTable"]
    DynamoAuditLog(dynamodb, table, operator=lambda: "me").note(
        "keys.create", subject="k", now=day * DAY_SECONDS
    )

    item = dynamodb.get_item(TableName=table, Key={"pk": {"S": f"audit#{day}"}})["Item"]

    assert int(item["expires"]["N"]) == (day + KEPT_DAYS) * DAY_SECONDS
    assert KEPT_DAYS > 366


def test_the_operator_is_the_caller_that_aws_knows(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sts:
        def get_caller_identity(self) -> dict[str, str]:
            return {"Arn": "arn:aws:iam::123456789012:user/olga"}

    monkeypatch.setattr(audit_log, "client", lambda *_, **__: Sts())

    assert caller_name().startswith("arn:aws:iam::123456789012:user/olga by ")


def test_an_operator_whom_aws_does_not_tell_is_named_by_account_and_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(*_: object, **__: object) -> None:
        raise ServiceBusy("no answer")

    monkeypatch.setattr(audit_log, "client", away)
    monkeypatch.setattr(audit_log, "getuser", lambda: "olga")

    assert caller_name().startswith("unknown to AWS (ServiceBusy) by olga@")
