"""A chunk that could not be computed: what workers report of it, and what the ledger keeps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gridwell.engine.messages import ErrorMessage

RAISED: Final = "raised"  #: the computation raised an error that any machine would raise
MACHINE_FAILED: Final = "machine_failed"  #: it raised one that may lie in the machine
PROCESS_DIED: Final = "process_died"  #: its compute process died: out of memory, or a crash
STUCK: Final = "stuck"  #: it did not move, or took too long
PROBLEM_MISSING: Final = "problem_missing"  #: its problem is not in the store
PROBLEM_UNREADABLE: Final = "problem_unreadable"  #: its stored problem is damaged
PROBLEM_DENIED: Final = "problem_denied"  #: the store refuses its problem
MAP_DENIED: Final = "map_denied"  #: the store refuses its map
UNSUPPORTED: Final = "unsupported"  #: another release wrote it, and this worker's cannot read it

#: After so many tries in a row with one and the same error of the computation, on several machines,
#: there is no hope.
HOPELESS_TRIES: Final = 3
#: The same where all of them were on one machine.  A worker tests its machine after fewer failures
#: in a row, and takes no more work if the test fails: so it has passed one in between.
HOPELESS_TRIES_ALONE: Final = 6
#: Distinct machines on which a chunk must have failed before its machine is beyond suspicion.
ENOUGH_MACHINES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkFailure:
    """The failed tries of a chunk in one attempt, and what the last of them said.

    A try is named by how often the chunk's message had been received: telling of it twice changes
    nothing, and there are no more tries than a queue gives a message receives.
    """

    job: str
    attempt: str
    chunk: int
    worker: str  #: whose try was the last
    code: str
    text: str
    at: float  #: when the last was recorded
    tries: frozenset[int]
    alike: frozenset[int]  #: the last ones of them, that said the same as the last
    workers: frozenset[str] = frozenset()  #: whose tries these were; the last one's is among them
    alike_workers: frozenset[str] = frozenset()  #: the same of the last ones alike

    def __post_init__(self) -> None:
        object.__setattr__(self, "workers", self.workers | {self.worker})
        object.__setattr__(self, "alike_workers", self.alike_workers | {self.worker})

    @property
    def hopeless(self) -> bool:
        """Whether trying again cannot help: a computation is the same on every machine."""
        if self.code != RAISED:
            return False
        several = len(self.alike_workers) >= ENOUGH_MACHINES
        return len(self.alike) >= (HOPELESS_TRIES if several else HOPELESS_TRIES_ALONE)

    @property
    def on_one_machine(self) -> bool:
        """Return whether the machine may be to blame: no other one has tried."""
        return len(self.workers) < ENOUGH_MACHINES

    def after(self, earlier: ChunkFailure | None) -> ChunkFailure:
        """What the ledger keeps when this is recorded after what it kept before."""
        if earlier is None:
            return self
        same = (self.code, self.text) == (earlier.code, earlier.text)
        return replace(
            self,
            tries=earlier.tries | self.tries,
            alike=earlier.alike | self.alike if same else self.alike,
            workers=earlier.workers | self.workers,
            alike_workers=(
                earlier.alike_workers | self.alike_workers if same else self.alike_workers
            ),
        )


def failure_of(message: ErrorMessage, at: float) -> ChunkFailure:
    """A single failed try, as a worker reported it."""
    tries = frozenset({message.receives})
    return ChunkFailure(
        job=message.job,
        attempt=message.attempt,
        chunk=message.chunk,
        worker=message.worker,
        code=message.code,
        text=message.text,
        at=at,
        tries=tries,
        alike=tries,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A worker whose report was proved wrong: it lied, or its machine is faulty."""

    worker: str
    attempts: frozenset[str]  #: in which it did
    job: str  #: the last one's
    why: str  #: what proved the last one
    at: float  #: when the last was recorded

    def after(self, earlier: Suspect | None) -> Suspect:
        """Return what the ledger keeps when this is recorded after what it kept before."""
        if earlier is None:
            return self
        return replace(self, attempts=earlier.attempts | self.attempts)
