"""One suite for the ledger of keys and budgets, on DynamoDB and in memory."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gridwell.access.keys import AccessKey, Scope
from gridwell.access.session import Session
from gridwell.adapters.dynamodb.access_ledger import DynamoAccessLedger
from gridwell.adapters.dynamodb.job_ledger import DynamoJobLedger
from gridwell.adapters.memory import MemoryAccessLedger
from gridwell.engine.errors import InvalidMessage
from tests.harness.builders import NOW
from tests.harness.faulty_port import Lossy
from tests.harness.threads import at_once

if TYPE_CHECKING:
    from gridwell.access.ports import AccessLedger
    from tests.adapters.conftest import Aws

DAY = 20_000
_numbers = itertools.count()


@pytest.fixture
def ledger(backend: str, request: pytest.FixtureRequest) -> AccessLedger:
    if backend == "memory":
        return MemoryAccessLedger()
    aws: Aws = request.getfixturevalue("aws")
    return DynamoAccessLedger(aws.clients["dynamodb"], aws.names["LedgerTable"])


@pytest.fixture
def client() -> str:
    """One of whom the table knows nothing."""
    return f"client-{next(_numbers)}"


def a_key(client: str, **changes: object) -> AccessKey:
    key = AccessKey(
        id=f"{next(_numbers):012x}",
        client=client,
        digest="d" * 64,
        scopes=frozenset({Scope.SUBMIT, Scope.READ}),
        created=NOW + 0.25,
        expires=NOW + 90.5,
    )
    return replace(key, **changes)  # type: ignore[arg-type]  # names are checked by replace


def test_a_key_comes_back_as_it_was_stored(ledger: AccessLedger, client: str) -> None:
    for key in (a_key(client), a_key(client, expires=None, scopes=frozenset({Scope.ADMIN}))):
        assert ledger.add_key(key)
        assert ledger.key(key.id) == key


def test_a_key_that_was_never_made_is_none(ledger: AccessLedger) -> None:
    assert ledger.key("f" * 12) is None
    assert ledger.revoke_key("f" * 12, now=NOW) is None
    assert ledger.key("f" * 12) is None


def test_an_id_is_given_once(ledger: AccessLedger, client: str) -> None:
    key = a_key(client)
    assert ledger.add_key(key)

    assert not ledger.add_key(replace(key, digest="e" * 64))
    assert ledger.add_key(key)  # the same one again, as after a lost reply
    assert ledger.key(key.id) == key


def test_all_keys_are_listed_the_newest_first(ledger: AccessLedger, client: str) -> None:
    keys = [a_key(client, created=NOW + age) for age in (1.0, 3.0, 2.0)]
    for key in keys:
        ledger.add_key(key)

    listed = [key for key in ledger.all_keys() if key.client == client]

    assert listed == [keys[1], keys[2], keys[0]]


def test_the_ids_of_all_keys_are_listed_also_of_revoked_ones(
    ledger: AccessLedger, client: str
) -> None:
    keys = [a_key(client) for _ in range(3)]
    for key in keys:
        ledger.add_key(key)
    ledger.revoke_key(keys[0].id, now=NOW)

    assert {key.id for key in keys} <= ledger.key_ids()
    assert "f" * 12 not in ledger.key_ids()


def test_a_revoked_key_keeps_the_time_at_which_it_first_was(
    ledger: AccessLedger, client: str
) -> None:
    key = a_key(client)
    ledger.add_key(key)

    revoked = ledger.revoke_key(key.id, now=NOW + 5.5)

    assert revoked == replace(key, revoked=NOW + 5.5)
    assert ledger.revoke_key(key.id, now=NOW + 9.0) == revoked
    assert ledger.key(key.id) == revoked
    assert revoked in ledger.all_keys()


def test_a_budget_is_spent_to_its_last_millisecond(ledger: AccessLedger, client: str) -> None:
    assert ledger.spent(client, DAY) == 0

    assert ledger.spend(client, DAY, 0.7, budget=1.0)
    assert not ledger.spend(client, DAY, 0.301, budget=1.0)
    assert ledger.spend(client, DAY, 0.3, budget=1.0)
    assert not ledger.spend(client, DAY, 0.001, budget=1.0)

    assert ledger.spent(client, DAY) == 1.0


def test_what_costs_more_than_a_whole_day_is_never_spent(ledger: AccessLedger, client: str) -> None:
    assert not ledger.spend(client, DAY, 1.001, budget=1.0)
    assert ledger.spent(client, DAY) == 0


def test_each_client_and_each_day_has_a_budget_of_its_own(
    ledger: AccessLedger, client: str
) -> None:
    assert ledger.spend(client, DAY, 1.0, budget=1.0)

    assert ledger.spend(client, DAY + 1, 1.0, budget=1.0)
    assert ledger.spend(f"{client}-other", DAY, 1.0, budget=1.0)
    assert not ledger.spend(client, DAY, 0.5, budget=1.0)


def test_what_was_spent_for_nothing_is_given_back(ledger: AccessLedger, client: str) -> None:
    ledger.spend(client, DAY, 0.9, budget=1.0)

    ledger.give_back(client, DAY, 0.9)

    assert ledger.spent(client, DAY) == 0
    assert ledger.spend(client, DAY, 1.0, budget=1.0)


def test_who_spends_at_once_stays_within_the_budget_together(
    ledger: AccessLedger, client: str
) -> None:
    spent = at_once([lambda: ledger.spend(client, DAY, 1.0, budget=3.0)] * 8)

    assert spent.count(True) == 3
    assert ledger.spent(client, DAY) == 3.0


def a_session(client: str, **changes: object) -> Session:
    session = Session(
        digest=f"{next(_numbers):064x}",
        key_id="f" * 12,
        client=client,
        opened=NOW + 0.25,
        used=NOW + 0.25,
        ends=NOW + 90.5,
    )
    return replace(session, **changes)  # type: ignore[arg-type]  # names are checked by replace


def test_a_session_comes_back_as_it_was_stored(ledger: AccessLedger, client: str) -> None:
    session = a_session(client)
    ledger.add_session(session)
    ledger.add_session(session)  # again, as after a lost reply

    assert ledger.session(session.digest) == session


def test_a_session_that_was_never_opened_is_none(ledger: AccessLedger) -> None:
    for read in (
        ledger.session("f" * 64),
        ledger.touch_session("f" * 64, now=NOW),
        ledger.end_session("f" * 64, now=NOW),
        ledger.session("f" * 64),
    ):
        assert read is None


def test_the_use_of_a_session_never_goes_back_in_time(ledger: AccessLedger, client: str) -> None:
    session = a_session(client)
    ledger.add_session(session)

    assert ledger.touch_session(session.digest, now=NOW + 9.5) == replace(session, used=NOW + 9.5)
    assert ledger.touch_session(session.digest, now=NOW + 3) == replace(session, used=NOW + 9.5)


def test_an_ended_session_stays_ended_and_is_used_no_more(
    ledger: AccessLedger, client: str
) -> None:
    session = a_session(client)
    ledger.add_session(session)
    ended = replace(session, ended=NOW + 5.5)

    assert ledger.end_session(session.digest, now=NOW + 5.5) == ended
    assert ledger.end_session(session.digest, now=NOW + 9.0) == ended
    assert ledger.touch_session(session.digest, now=NOW + 9.0) == ended
    ledger.add_session(session)
    assert ledger.session(session.digest) == ended


# What only DynamoDB can do.


def test_a_key_whose_reply_was_lost_is_there_and_listed(aws: Aws, client: str) -> None:
    lossy = Lossy(aws.clients["dynamodb"], "put_item")
    ledger = DynamoAccessLedger(lossy, aws.names["LedgerTable"])  # type: ignore[arg-type]
    key = a_key(client)

    with pytest.raises(Exception, match="did not answer"):
        ledger.add_key(key)

    assert lossy.lost == 1
    assert ledger.add_key(key)
    assert key in ledger.all_keys()


def test_an_item_that_is_no_key_is_named(aws: Aws, client: str) -> None:
    table = aws.names["LedgerTable"]
    key_id = a_key(client).id
    item = {"pk": {"S": f"access#key#{key_id}"}, "owner": {"S": client}}
    aws.clients["dynamodb"].put_item(TableName=table, Item=item)

    with pytest.raises(InvalidMessage, match=key_id):
        DynamoAccessLedger(aws.clients["dynamodb"], table).key(key_id)


def test_a_scope_of_a_later_release_allows_nothing(aws: Aws, client: str) -> None:
    dynamodb, table = aws.clients["dynamodb"], aws.names["LedgerTable"]
    ledger, key = DynamoAccessLedger(dynamodb, table), a_key(client)
    ledger.add_key(key)
    dynamodb.update_item(
        TableName=table,
        Key={"pk": {"S": f"access#key#{key.id}"}},
        UpdateExpression="SET scopes = :scopes",
        ExpressionAttributeValues={":scopes": {"SS": ["read", "teleport"]}},
    )

    assert ledger.key(key.id) == replace(key, scopes=frozenset({Scope.READ}))


def test_keys_are_no_jobs(aws: Aws, client: str) -> None:
    dynamodb, table = aws.clients["dynamodb"], aws.names["LedgerTable"]
    ledger = DynamoAccessLedger(dynamodb, table)
    ledger.add_key(a_key(client))
    ledger.spend(client, DAY, 1.0, budget=2.0)

    assert DynamoJobLedger(dynamodb, table).recent(client, limit=10).jobs == ()


def test_sessions_are_no_jobs(aws: Aws, client: str) -> None:
    dynamodb, table = aws.clients["dynamodb"], aws.names["LedgerTable"]
    DynamoAccessLedger(dynamodb, table).add_session(a_session(client))

    assert DynamoJobLedger(dynamodb, table).recent(client, limit=10).jobs == ()


def test_dynamodb_removes_a_session_some_time_after_its_end(aws: Aws, client: str) -> None:
    dynamodb, table = aws.clients["dynamodb"], aws.names["LedgerTable"]
    session = a_session(client)
    DynamoAccessLedger(dynamodb, table).add_session(session)

    key = {"pk": {"S": f"session#{session.digest}"}}
    item = dynamodb.get_item(TableName=table, Key=key)["Item"]

    assert session.ends < int(item["expires"]["N"]) < session.ends + 2 * 86_400


def test_an_item_that_is_no_session_is_named(aws: Aws) -> None:
    dynamodb, table = aws.clients["dynamodb"], aws.names["LedgerTable"]
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "session#odd"}, "used": {"N": "1"}})

    with pytest.raises(InvalidMessage, match="session#odd"):
        DynamoAccessLedger(dynamodb, table).session("odd")
