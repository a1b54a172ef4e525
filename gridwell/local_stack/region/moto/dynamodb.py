"""Makes moto's DynamoDB atomic, and `size()` of an absent attribute false.

A conditional write is what the ledger is built on.  Stock moto checks the condition and writes
without a lock in between, so that two threads could both win.  And where DynamoDB finds a
condition on an absent attribute simply untrue, moto fails with HTTP 500 at `size(absent)`.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

from moto.dynamodb import comparisons as _comparisons
from moto.dynamodb.models import DynamoDBBackend

if TYPE_CHECKING:
    from collections.abc import Callable

#: Every operation that reads or writes items; table calls are made once, at start.
ITEM_OPERATIONS = (
    "put_item",
    "update_item",
    "delete_item",
    "get_item",
    "query",
    "scan",
    "transact_write_items",
)
_lock = threading.RLock()


@functools.cache  # patching a library is per process, like the library
def install() -> None:
    """Put one lock around all item operations and mend `size()`, once per process."""
    backend: Any = DynamoDBBackend
    for name in ITEM_OPERATIONS:
        setattr(backend, name, _locked(getattr(backend, name)))
    comparisons: Any = _comparisons
    stock = comparisons.FuncSize.expr

    def size(self: Any, item: Any) -> Any:
        # NaN: every comparison with it is false, which is DynamoDB's answer.
        return float("nan") if self.attr.get_type(item) is None else stock(self, item)

    comparisons.FuncSize.expr = size


def _locked(operation: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(operation)
    def locked(*args: Any, **kwargs: Any) -> Any:
        with _lock:
            return operation(*args, **kwargs)

    return locked
