"""SQS in virtual time: twice, late, in any order, and with counts of a minute ago."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.engine.messages import TASKS_VERSION, VERSION
from gridwell.engine.ports import Depth, Received
from tests.simulation.faults import COUNT_LAG
from tests.simulation.invariants import I9_END
from tests.simulation.kernel import Blocked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.simulation.kernel import Process, Simulation

VISIBILITY: Final = 60.0
MAX_RECEIVES: Final = 10
LONGEST_HOLD: Final = 665.0  #: a chunk's hard limit and one lease, and what a step may last
_RETURNING: Final = 200  #: deleted messages that may still come back


@dataclass(slots=True)
class Message:
    """A message, as the service keeps it."""

    number: int
    body: str
    visible_at: float
    receives: int = 0
    receipt: str | None = None
    taken_at: float = 0.0


class SimulatedQueue:
    """One queue, for all processes.

    Args:
        sim: time and chance.
        name: for the trace.
        dead: where a message goes that was received too often.
        leaving: told each message when it is deleted, while it is still there.
        extending: told each message whose lease a process extends.
    """

    def __init__(
        self,
        sim: Simulation,
        name: str,
        *,
        dead: SimulatedQueue | None = None,
        leaving: Callable[[Message], None] = lambda _message: None,
        extending: Callable[[Process, Message], None] = lambda _process, _message: None,
    ) -> None:
        self.name = name
        self.messages: dict[int, Message] = {}
        self.carried: Counter[str] = Counter()  #: messages there, by body
        self.sent: Counter[str] = Counter()  #: messages that ever were there, by body
        self.buried: Counter[str] = Counter()  #: how often a body died
        self.received: Counter[str] = Counter()  #: how often a body was received
        self.empty_polls: Counter[str] = Counter()  #: long polls without a message, by process
        self.swallows: str | None = None  #: messages that contain this are lost
        self.deleted: deque[str] = deque(maxlen=_RETURNING)  #: bodies that were here
        self._sim = sim
        self._dead = dead
        self._leaving = leaving
        self._extending = extending
        self._numbers = itertools.count()
        self._waiting: dict[str, Process] = {}
        self._told: tuple[float, Depth] | None = None

    def of(self, process: Process) -> Caller:
        """The queue as a process calls it."""
        return Caller(self, process)

    @property
    def soonest(self) -> float:
        """Since when the oldest visible message is visible, or when one will be."""
        return min((m.visible_at for m in self.messages.values()), default=float("inf"))

    @property
    def visible(self) -> int:
        """How many messages are visible, truly."""
        now = self._sim.now
        return sum(message.visible_at <= now for message in self.messages.values())

    def send(self, bodies: Sequence[str], *, group: str = "") -> list[int]:
        """See `gridwell.engine.ports.Queue`."""
        del group
        faults, rng = self._sim.faults, self._sim.rng
        refused = []
        for position, body in enumerate(bodies):
            if faults.strike("batch refused"):
                refused.append(position)
                continue
            if self.swallows is not None and self.swallows in body:
                continue
            delay = rng.uniform(0.0, 20.0) if faults.strike("delayed") else 0.0
            self.put(body, self._sim.now + delay)
        return refused

    def put(self, body: str, visible_at: float) -> None:
        """Let there be a message."""
        number = next(self._numbers)
        self.messages[number] = Message(number, body, visible_at)
        self.carried[body] += 1
        self.sent[body] += 1
        self._rouse(visible_at)

    def holds_unread(self, body: str) -> bool:
        """Whether there is a message with this body that was never received."""
        return any(m.body == body and not m.receives for m in self.messages.values())

    def drop(self, message: Message) -> None:
        """Take a message out."""
        del self.messages[message.number]
        self.carried[message.body] -= 1

    def receive(self, process: Process, *, at_most: int, wait: float) -> list[Received]:
        """See `gridwell.engine.ports.Queue`; a long poll blocks the process."""
        now = self._sim.now
        blind = wait == 0 and self._sim.faults.strike("short poll blind")
        taken = [] if blind else self._take(at_most)
        if taken or wait == 0:
            self._waiting.pop(process.name, None)
            process.poll_until = None
            # What is of another release, and nothing else, keeps nobody.
            self.empty_polls[process.name] += bool(taken) and not any(map(_readable, taken))
            return taken
        if process.poll_until is None:
            process.poll_until = now + wait
        if now >= process.poll_until:
            self._waiting.pop(process.name, None)
            process.poll_until = None
            self.empty_polls[process.name] += 1
            return []
        self._waiting[process.name] = process
        soonest = self.soonest
        if soonest < process.poll_until:
            self._sim.at(soonest, lambda: process.wake(self._sim.now))
        raise Blocked

    def delete(self, receipts: Sequence[str]) -> None:
        """See `gridwell.engine.ports.Queue`."""
        for message in self._held(receipts):
            if self._sim.faults.strike("delete forgotten"):
                continue
            self._leaving(message)
            self.deleted.append(message.body)
            self.drop(message)

    def extend(self, process: Process, receipts: Sequence[str], seconds: float) -> None:
        """See `gridwell.engine.ports.Queue`."""
        now = self._sim.now
        for message in self._held(receipts):
            if message.visible_at > now:
                held = now - message.taken_at
                self._sim.require(
                    I9_END,
                    seconds == 0 or held <= LONGEST_HOLD,
                    f"{self.name} message {message.number} is held for {held:.0f} s",
                )
                self._extending(process, message)
                message.visible_at = now + seconds
                self._rouse(message.visible_at)

    def depth(self) -> Depth:
        """See `gridwell.engine.ports.Queue`: of now, or of some moment of the last minute."""
        now = self._sim.now
        if self._told is not None:
            fresh = now - self._told[0] <= self._sim.rng.uniform(0.0, COUNT_LAG)
            if fresh and self._sim.faults.strike("count late"):
                return self._told[1]
        visible = self.visible
        self._told = now, Depth(visible=visible, in_flight=len(self.messages) - visible)
        return self._told[1]

    def _held(self, receipts: Sequence[str]) -> list[Message]:
        wanted = set(receipts)
        return [m for m in self.messages.values() if m.receipt in wanted]

    def _take(self, at_most: int) -> list[Received]:
        now, faults, rng = self._sim.now, self._sim.faults, self._sim.rng
        ready = [m for m in self.messages.values() if m.visible_at <= now]
        if len(ready) > 1 and faults.strike("reordered"):
            rng.shuffle(ready)
        taken: list[Received] = []
        for message in ready:
            if len(taken) == at_most:
                break
            if self._dead is not None and message.receives >= MAX_RECEIVES:
                self._sim.note(f"{self.name} message {message.number} goes to the dead letters")
                self.drop(message)
                # Copies that die before anybody has read of the first are one death of their chunk.
                self.buried[message.body] += not self._dead.holds_unread(message.body)
                self._dead.put(message.body, now)
                continue
            message.receives += 1
            self.received[message.body] += 1
            message.receipt = f"{self.name}-{message.number}-{message.receives}"
            message.taken_at = now
            twice = faults.strike("delivered twice")
            message.visible_at = now + (rng.uniform(0.0, 5.0) if twice else VISIBILITY)
            taken.append(Received(message.body, message.receipt, message.receives))
        return taken

    def _rouse(self, when: float) -> None:
        """Let the processes look that wait for a message, once it is visible."""
        for process in self._waiting.values():
            process.wake(when)


class Caller:
    """A queue as one process calls it: its long polls block that process."""

    def __init__(self, queue: SimulatedQueue, process: Process) -> None:
        self._process = process
        self._queue = queue
        self.send = queue.send
        self.delete = queue.delete
        self.depth = queue.depth

    def receive(self, *, at_most: int, wait: float) -> list[Received]:
        """See `gridwell.engine.ports.Queue`."""
        return self._queue.receive(self._process, at_most=at_most, wait=wait)

    def extend(self, receipts: Sequence[str], seconds: float) -> None:
        """See `gridwell.engine.ports.Queue`."""
        self._queue.extend(self._process, receipts, seconds)


def _readable(received: Received) -> bool:
    return any(f'"version":{each},' in received.body for each in (VERSION, TASKS_VERSION))
