"""Keys, sessions and budgets in the ledger table.

Attributes are named so that no item of these appears in an index of jobs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gridwell.access.keys import AccessKey, Scope
from gridwell.access.quota import DAY_SECONDS
from gridwell.adapters.dynamodb.audit_log import DynamoAuditLog
from gridwell.adapters.dynamodb.job_items import number, text, text_set
from gridwell.adapters.dynamodb.sessions import decode_session, encode_session, session_key
from gridwell.adapters.dynamodb.table import Table
from gridwell.engine.errors import InvalidMessage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from gridwell.access.session import Session
    from gridwell.adapters.dynamodb.job_items import Item

_KEY: Final = "access#key#"
_ALL_KEYS: Final = {"pk": text("access#keys")}
_SPENT: Final = "spent#"
_SPENT_KEPT_DAYS: Final = 8  #: then TTL removes what was spent
_ABSENT: Final = "attribute_not_exists(#pk)"
_SPEND: Final = "ADD #spent :seconds SET #expires = :gone"


class DynamoAccessLedger:
    """Keeps the promises of `gridwell.access.ports.AccessLedger`.

    Args:
        client: of DynamoDB.
        table: the ledger table's name.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._table = Table(client, table)
        self.audit = DynamoAuditLog(client, table)

    def add_key(self, key: AccessKey) -> bool:
        """See `gridwell.access.ports.AccessLedger`."""
        # Listed first: dying in between leaves an id without a key, which opens nothing.  The
        # other order would leave a key that nobody sees.
        self._table.update(_ALL_KEYS, "ADD #ids :ids", None, {"ids": text_set(frozenset({key.id}))})
        item = _encoded(key)
        stored, against = self._table.put(item, _ABSENT)
        return stored or against == item  # tried again after a lost reply: it meets itself

    def key(self, key_id: str) -> AccessKey | None:
        """See `gridwell.access.ports.AccessLedger`."""
        item = self._table.get(_key_of(key_id))
        return None if item is None else _decoded(item)

    def key_ids(self) -> frozenset[str]:
        """See `gridwell.access.ports.AccessLedger`."""
        listed = self._table.get(_ALL_KEYS)
        return frozenset() if listed is None else frozenset(listed["ids"]["SS"])

    def all_keys(self) -> tuple[AccessKey, ...]:
        """See `gridwell.access.ports.AccessLedger`."""
        items = self._table.get_many(_key_of(key_id) for key_id in sorted(self.key_ids()))
        found = map(_decoded, items)
        return tuple(sorted(found, key=lambda key: (-key.created, key.id)))

    def revoke_key(self, key_id: str, *, now: float) -> AccessKey | None:
        """See `gridwell.access.ports.AccessLedger`."""
        _, item = self._table.update(
            _key_of(key_id),
            "SET #revoked = if_not_exists(#revoked, :now)",
            "attribute_exists(#pk)",
            {"now": number(now)},
        )
        return None if item is None else _decoded(item)

    def add_session(self, session: Session) -> None:
        """See `gridwell.access.ports.AccessLedger`."""
        self._table.put(encode_session(session), _ABSENT)

    def session(self, digest: str) -> Session | None:
        """See `gridwell.access.ports.AccessLedger`."""
        return _session(self._table.get(session_key(digest)))

    def touch_session(self, digest: str, *, now: float) -> Session | None:
        """See `gridwell.access.ports.AccessLedger`."""
        _, item = self._table.update(
            session_key(digest),
            "SET #used = :now",
            "attribute_exists(#pk) AND attribute_not_exists(#ended) AND #used < :now",
            {"now": number(now)},
        )
        return _session(item)

    def end_session(self, digest: str, *, now: float) -> Session | None:
        """See `gridwell.access.ports.AccessLedger`."""
        _, item = self._table.update(
            session_key(digest),
            "SET #ended = if_not_exists(#ended, :now)",
            "attribute_exists(#pk)",
            {"now": number(now)},
        )
        return _session(item)

    def spend(self, client: str, day: int, seconds: float, *, budget: float) -> bool:
        """See `gridwell.access.ports.AccessLedger`."""
        if seconds > budget:
            return False
        within, _ = self._table.update(
            _spent_of(client, day),
            _SPEND,
            f"{_ABSENT} OR #spent <= :room",
            _spending(day, seconds) | {"room": number(budget - seconds)},
        )
        return within

    def give_back(self, client: str, day: int, seconds: float) -> None:
        """See `gridwell.access.ports.AccessLedger`."""
        self._table.update(_spent_of(client, day), _SPEND, None, _spending(day, -seconds))

    def spent(self, client: str, day: int) -> float:
        """See `gridwell.access.ports.AccessLedger`."""
        item = self._table.get(_spent_of(client, day))
        return 0.0 if item is None else float(item["spent"]["N"])


def _session(item: Item | None) -> Session | None:
    return None if item is None else decode_session(item)


def _key_of(key_id: str) -> Item:
    return {"pk": text(_KEY + key_id)}


def _spent_of(client: str, day: int) -> Item:
    return {"pk": text(f"{_SPENT}{client}#{day}")}


def _spending(day: int, seconds: float) -> dict[str, Any]:
    """The values of `_SPEND`."""
    gone = (day + _SPENT_KEPT_DAYS) * DAY_SECONDS
    return {"seconds": number(seconds), "gone": number(gone)}


def _encoded(key: AccessKey) -> Item:
    item = {
        **_key_of(key.id),
        "owner": text(key.client),
        "digest": text(key.digest),
        "scopes": text_set(frozenset(key.scopes)),
        "made": number(key.created),
    }
    # Not `expires`: DynamoDB would remove the item, and nobody would see what became of the key.
    optional = {"ends": key.expires, "revoked": key.revoked}
    return item | {name: number(at) for name, at in optional.items() if at is not None}


def _decoded(item: Mapping[str, Any]) -> AccessKey:
    try:
        return AccessKey(
            id=item["pk"]["S"].removeprefix(_KEY),
            client=item["owner"]["S"],
            digest=item["digest"]["S"],
            # Scopes of a later release allow nothing here.
            scopes=frozenset(Scope(name) for name in item["scopes"]["SS"] if name in set(Scope)),
            created=float(item["made"]["N"]),
            expires=_time(item, "ends"),
            revoked=_time(item, "revoked"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidMessage(
            f"the ledger's item {item['pk']['S']!r} cannot be read ({error!r}); it was written by "
            "hand or by another version"
        ) from error


def _time(item: Mapping[str, Any], name: str) -> float | None:
    return float(item[name]["N"]) if name in item else None
