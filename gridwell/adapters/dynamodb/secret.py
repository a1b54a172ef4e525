"""The web tier's secret, an item of the ledger's table.

The stack's template denies it to workers and autoscalers.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from gridwell.access.secret import SECRET_BYTES
from gridwell.adapters.dynamodb.job_items import text
from gridwell.engine.errors import InvalidMessage, ServiceBusy

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.adapters.dynamodb.job_items import Item
    from gridwell.adapters.dynamodb.table import Table

_KEY: Final[Item] = {"pk": text("secret#web")}


class SecretItem:
    """The item that holds the secret.

    Args:
        table: the ledger's.
        draw: gives the secret that is stored where there is none yet.
    """

    def __init__(self, table: Table, draw: Callable[[], bytes]) -> None:
        self._table = table
        self._draw = draw

    def read(self) -> bytes:
        """See `gridwell.engine.ports.JobLedger.secret`."""
        item = self._table.get(_KEY)
        if item is None:
            # Of several processes that find none the first one's is stored, and all read that.
            fresh = {**_KEY, "value": text(self._draw().hex())}
            self._table.put(fresh, "attribute_not_exists(#pk)")
            item = self._table.get(_KEY)
        if item is None:
            raise ServiceBusy("the web tier's secret was removed while it was read")
        try:
            secret = bytes.fromhex(item["value"]["S"])
        except (KeyError, ValueError) as error:
            secret = b""
            cause: Exception | None = error
        else:
            cause = None
        if len(secret) != SECRET_BYTES:
            raise InvalidMessage(
                "the ledger's item 'secret#web' does not hold a secret; remove it, and another one "
                "is made: chunks in work are then computed once more"
            ) from cause
        return secret


def new_secret() -> bytes:
    """Return a fresh secret."""
    return secrets.token_bytes(SECRET_BYTES)
