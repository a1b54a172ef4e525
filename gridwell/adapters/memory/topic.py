"""A topic in memory, with filters as SNS has them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gridwell.engine.job_events import Notice
    from gridwell.engine.ports import Queue


class MemoryTopic:
    """Keeps the promises of `gridwell.engine.ports.Topic`."""

    def __init__(self) -> None:
        self._subscriptions: list[tuple[Queue, dict[str, frozenset[str]]]] = []
        self._lock = threading.Lock()

    def subscribe(self, queue: Queue, policy: Mapping[str, Sequence[str]] | None = None) -> None:
        """Send to a queue what is published from now on.

        Args:
            queue: gets each message's text.
            policy: attribute -> the values that pass; all of its attributes must.
        """
        wanted = {name: frozenset(values) for name, values in (policy or {}).items()}
        with self._lock:
            self._subscriptions.append((queue, wanted))

    def publish(self, notices: Sequence[Notice]) -> None:
        """See `gridwell.engine.ports.Topic`."""
        with self._lock:
            subscriptions = list(self._subscriptions)
        for notice in notices:
            attributes = dict(notice.attributes)
            for queue, wanted in subscriptions:
                if all(attributes.get(name) in values for name, values in wanted.items()):
                    queue.send([notice.body])
