"""Patch of moto's DynamoDB: atomic operations, and `size()` of an absent attribute.

Behaviours of moto that it replaces:

* `DynamoDBBackend` checks a condition and then writes without a lock, so that of two threads both
  can win.  The ledger relies on conditional writes.
* `FuncSize.expr` fails with HTTP 500 for an absent attribute.  In DynamoDB the comparison is false.
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
