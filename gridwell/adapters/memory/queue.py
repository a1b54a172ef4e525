"""A standard SQS queue in memory."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gridwell.engine.limits import MESSAGE_BYTES
from gridwell.engine.ports import Depth, Received

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridwell.engine.ports import Clock

_MAX_RECEIVED = 10
_LOOK_SECONDS = 0.02


@dataclass(slots=True)
class _Message:
    body: str
    visible_at: float
    receives: int = 0
    receipt: str | None = None
    sent_at: float = 0.0


class MemoryQueue:
    """Keeps the promises of `gridwell.engine.ports.Queue`.

    Args:
        clock: whose time leases are measured in.
        visibility: seconds for which a received message is leased.
        max_receives: after so many receives a message moves to `dead` when it is next looked at.
        dead: the dead-letter queue, if there is one.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        visibility: float = 60.0,
        max_receives: int = 10,
        dead: MemoryQueue | None = None,
    ) -> None:
        self._clock = clock
        self._visibility = visibility
        self._max_receives = max_receives
        self._dead = dead
        self._messages: dict[int, _Message] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def send(self, bodies: Sequence[str], *, group: str = "") -> list[int]:
        """See `gridwell.engine.ports.Queue`; bodies above the size limit are refused."""
        del group  # orders nothing on a standard queue
        refused = []
        with self._lock:
            for position, body in enumerate(bodies):
                if len(body.encode()) > MESSAGE_BYTES:
                    refused.append(position)
                    continue
                self._messages[next(self._numbers)] = _Message(
                    body, self._clock.now(), sent_at=self._clock.now()
                )
        return refused

    def receive(self, *, at_most: int, wait: float) -> list[Received]:
        """See `gridwell.engine.ports.Queue`."""
        if not 1 <= at_most <= _MAX_RECEIVED:
            raise ValueError(f"at_most is {at_most}, SQS gives 1 to {_MAX_RECEIVED} messages")
        deadline = self._clock.monotonic() + wait
        while True:
            with self._lock:
                received = self._take(at_most)
            left = deadline - self._clock.monotonic()
            if received or left <= 0:
                return received
            self._clock.sleep(min(left, _LOOK_SECONDS))

    def delete(self, receipts: Sequence[str]) -> None:
        """See `gridwell.engine.ports.Queue`."""
        with self._lock:
            for number, _ in self._held(receipts):
                del self._messages[number]

    def extend(self, receipts: Sequence[str], seconds: float) -> None:
        """See `gridwell.engine.ports.Queue`."""
        with self._lock:
            for _, message in self._held(receipts):
                if message.visible_at > self._clock.now():
                    message.visible_at = self._clock.now() + seconds

    def depth(self) -> Depth:
        """See `gridwell.engine.ports.Queue`; here exact."""
        with self._lock:
            visible = sum(m.visible_at <= self._clock.now() for m in self._messages.values())
            return Depth(visible=visible, in_flight=len(self._messages) - visible)

    def bury(self, body: str, sent_at: float) -> None:
        """Take a dead letter, which keeps the time at which it was first sent."""
        with self._lock:
            self._messages[next(self._numbers)] = _Message(body, self._clock.now(), sent_at=sent_at)

    def _held(self, receipts: Sequence[str]) -> list[tuple[int, _Message]]:
        """Messages whose last receipt is among these: an older receipt holds nothing."""
        wanted = set(receipts)
        return [(n, m) for n, m in self._messages.items() if m.receipt in wanted]

    def _take(self, at_most: int) -> list[Received]:
        now = self._clock.now()
        taken: list[Received] = []
        for number, message in list(self._messages.items()):
            if len(taken) == at_most:
                break
            if message.visible_at > now:
                continue
            if self._dead is not None and message.receives >= self._max_receives:
                del self._messages[number]
                self._dead.bury(message.body, message.sent_at)
                continue
            message.receives += 1
            message.receipt = f"{number}-{message.receives}"
            message.visible_at = now + self._visibility
            taken.append(Received(message.body, message.receipt, message.receives, message.sent_at))
        return taken
