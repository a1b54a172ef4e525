"""A session as an item of the ledger table.  Pure.

Attributes are named so that no session appears in an index of jobs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.access.session import Session
from gridwell.adapters.dynamodb.job_items import explained, number, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridwell.adapters.dynamodb.job_items import Item

#: Apart from the keys' `access#`, which no role of the stack may write.
PREFIX: Final = "session#"
_KEPT_SECONDS: Final = 86_400.0  #: after its end; then TTL removes it


def session_key(digest: str) -> Item:
    """Return the key of a session's item."""
    return {"pk": text(PREFIX + digest)}


def encode_session(session: Session) -> Item:
    """Return the item that holds a session."""
    item = {
        **session_key(session.digest),
        "opener": text(session.key_id),
        "owner": text(session.client),
        "opened": number(session.opened),
        "used": number(session.used),
        "ends": number(session.ends),
        "expires": number(int(session.ends + _KEPT_SECONDS)),  # the table's TTL
    }
    return item if session.ended is None else item | {"ended": number(session.ended)}


def decode_session(item: Mapping[str, Item]) -> Session:
    """Return the session that an item holds.

    Raises:
        InvalidMessage: if it holds none.
    """
    with explained(item):
        return Session(
            digest=item["pk"]["S"].removeprefix(PREFIX),
            key_id=item["opener"]["S"],
            client=item["owner"]["S"],
            opened=float(item["opened"]["N"]),
            used=float(item["used"]["N"]),
            ends=float(item["ends"]["N"]),
            ended=float(item["ended"]["N"]) if "ended" in item else None,
        )
