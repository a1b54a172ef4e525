"""What operators did, in the ledger table: an item for each day.

No role of the stack may write these items; operators do, with credentials of their own.
"""

from __future__ import annotations

import json
import logging
import socket
from getpass import getuser
from typing import TYPE_CHECKING, Final

from gridwell.access.quota import DAY_SECONDS, day_of
from gridwell.adapters.aws.client import FEW_TRIES, client
from gridwell.adapters.dynamodb.job_items import explained, number, text
from gridwell.adapters.dynamodb.table import Table
from gridwell.engine.audit import KEPT_DAYS, Act

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from gridwell.adapters.dynamodb.job_items import Item

logger = logging.getLogger(__name__)

PREFIX: Final = "audit#"
_NOTE: Final = "SET #acts = list_append(if_not_exists(#acts, :none), :one), #expires = :gone"


class DynamoAuditLog:
    """Keeps the promises of `gridwell.engine.audit.AuditLog`.

    Args:
        client: of DynamoDB.
        table: the ledger table's name.
        operator: names who runs the command.
    """

    def __init__(
        self, client: DynamoDBClient, table: str, operator: Callable[[], str] | None = None
    ) -> None:
        self._table = Table(client, table)
        self._operator = operator or caller_name

    def note(self, action: str, *, subject: str, now: float, detail: str = "") -> Act:
        """See `gridwell.engine.audit.AuditLog`."""
        act = Act(at=now, operator=self._operator(), action=action, subject=subject, detail=detail)
        fields = [act.at, act.operator, act.action, act.subject, act.detail]
        gone = (day_of(now) + KEPT_DAYS) * DAY_SECONDS
        self._table.update(
            _day_key(day_of(now)),
            _NOTE,
            None,
            {"none": {"L": []}, "one": {"L": [text(json.dumps(fields))]}, "gone": number(gone)},
        )
        logger.info(
            "an operator acts: %s",
            act,
            extra={
                "action": f"audit.{action}",
                "operator": act.operator,
                "subject": subject,
                "detail": detail,
            },
        )
        return act

    def acts(self, *, first_day: int, last_day: int) -> tuple[Act, ...]:
        """See `gridwell.engine.audit.AuditLog`."""
        days = (_day_key(day) for day in range(first_day, last_day + 1))
        found = [act for item in self._table.get_many(days) for act in _acts(item)]
        found.sort(key=lambda act: act.at)
        return tuple(reversed(found))


def caller_name() -> str:
    """Return who calls AWS, with the account on this machine; what cannot be told is said so."""
    try:
        who: str = client("sts", tries=FEW_TRIES).get_caller_identity()["Arn"]
    except Exception as error:  # noqa: BLE001 - boto3's are many, and none is worth not acting
        who = f"unknown to AWS ({type(error).__name__})"
    return f"{who} by {_account()}"


def _account() -> str:
    try:
        return f"{getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # an account without a name
        return f"an unnamed account@{socket.gethostname()}"


def _day_key(day: int) -> Item:
    return {"pk": text(f"{PREFIX}{day}")}


def _acts(item: Mapping[str, Item]) -> list[Act]:
    with explained(item):
        rows = [json.loads(row["S"]) for row in item["acts"]["L"]]
        return [
            Act(at=at, operator=operator, action=action, subject=subject, detail=detail)
            for at, operator, action, subject, detail in rows
        ]
