# ruff: noqa: SLF001 - moto keeps a queue's lock and lists in private names, and so must we
"""Changes of a standard queue that no call of its API makes."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from moto.core.utils import unix_time_millis
from moto.sqs.models import sqs_backends

from gridwell.local_stack.region.moto import sqs_queue

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence


class Queues:
    """The standard queues of the region, as moto keeps them.

    A name that no standard queue has (FIFO queues keep their promise of order) does nothing.

    Args:
        account_id: moto's.
        region: its name.
    """

    def __init__(self, *, account_id: str, region: str) -> None:
        self._account_id = account_id
        self._region = region

    def find(self, name: str) -> Any | None:
        """Return the standard queue of this name, or None."""
        queue: Any = sqs_backends[self._account_id][self._region].queues.get(name)
        return None if queue is None or queue.fifo_queue else queue

    def names(self) -> Sequence[str]:
        """Return the names of all standard queues."""
        queues: Any = sqs_backends[self._account_id][self._region].queues
        return sorted(name for name in queues if self.find(name) is not None)

    def depth(self, name: str) -> int:
        """Return the number of a queue's messages: visible, in flight or delayed."""
        queue = self.find(name)
        return 0 if queue is None else len(queue._messages)

    def shuffle(self, name: str, rng: random.Random) -> None:
        """Put a queue's messages into another order."""
        if (queue := self.find(name)) is not None:
            with queue._messages_lock:
                rng.shuffle(queue._messages)

    def deliver_again(self, name: str, receipt: str, seconds: float) -> bool:
        """Deliver a message once more after `seconds`, even if it is deleted.

        Returns:
            True if its delivery was still known.
        """
        queue = self.find(name)
        if queue is None:
            return False
        with queue._messages_lock:
            message = queue.leases.get(receipt)
            if message is None:
                return False
            queue._messages.append(_copy(message, unix_time_millis() + 1000 * seconds))
            queue._messages_lock.notify_all()
        return True

    def duplicate(self, name: str) -> int:
        """Double every message of a queue, visible at once, and return their number."""
        queue = self.find(name)
        if queue is None:
            return 0
        with queue._messages_lock:
            copies = [_copy(message, 0.0) for message in queue._messages]
            queue._messages.extend(copies)
            queue._messages_lock.notify_all()
        return len(copies)

    def empty(self, name: str) -> int:
        """Lose every message of a queue and return their number."""
        queue = self.find(name)
        if queue is None:
            return 0
        with queue._messages_lock:
            lost = queue._messages
            queue._messages = []
            for message in lost:
                sqs_queue.forget(queue, message)
        return len(lost)


def _copy(message: Any, visible_at: float) -> Any:
    """Return a copy of a message with the same id, as another of SQS's servers holds it."""
    twin = copy.copy(message)
    twin.receipt_handle, twin._old_receipt_handles = None, []
    twin.visible_at, twin.delayed_until = visible_at, 0.0
    return twin
