"""What may leave a queue, and which reasons of failed jobs are true."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from gridwell.engine.errors import InvalidMessage
from gridwell.engine.job import (
    CHUNK_FAILED,
    DEADLINE_EXCEEDED,
    INTEGRITY,
    LOST_MESSAGES,
    STORAGE_DENIED,
    Job,
)
from gridwell.engine.messages import VERSION, ChunkMessage, ErrorMessage, decode_report
from gridwell.kinds.grid.feasibility import NO_CANDIDATE_POINT
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.map_objects import map_object
from gridwell.kinds.grid.names import SERIES_KIND
from tests.simulation.compute import map_of
from tests.simulation.faults import SERVICE_SKEW
from tests.simulation.invariants import I5, I5_DEATHS, I5_TRIES, I6_CHUNK, I6_RESULT
from web_tier.collector.finisher import MAX_REFUSALS
from web_tier.collector.reconciler import MAX_RESENDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.simulation.queue import Message
    from tests.simulation.simulated_system import World

#: Six that are reported, as all may be from one machine, and those that begin before the sixth is.
_MOST_TRIES: Final = 10
#: Those that each further copy of the message may add: tries are told apart by how often their own
#: message was received, so the fifth of one copy and the fifth of another are one.
_TRIES_OF_A_COPY: Final = 5
FORGER: Final = "a-forger"  #: in whose name reports are sent that no worker made
_DEATH: Final = 10  #: receives; what the protocol says, whatever the queue does


class Judge:
    """Looks at queues and ledger at once, as nobody in the programs can.

    Args:
        world: all there is.
    """

    def __init__(self, world: World) -> None:
        self.altered: set[str] = set()  #: keys of maps that were changed after they were stored
        self._world = world
        self._raised: Counter[str] = Counter()
        self._known: dict[tuple[str, int], tuple[str, str]] = {}

    def chunk_leaves(self, message: Message) -> None:
        """A chunk's message may be deleted if nobody wants it, or its result is kept."""
        try:
            chunk = ChunkMessage.decode(message.body)
        except InvalidMessage:
            return
        job = self._wanting(chunk.job, chunk.attempt, chunk.chunk)
        if job is None or self._may_be_lost:
            return
        kept = (
            self._messages(job, chunk.chunk) > 1
            or self._has_result(job, chunk.chunk)
            or bool(job.replicas_of(chunk.chunk))
        )
        self._world.sim.require(I6_CHUNK, kept, f"chunk {chunk.chunk} of {job.id} is lost")

    def result_leaves(self, message: Message) -> None:
        """A result's message may be deleted if nobody wants it: merging it made that so."""
        try:
            result = decode_report(message.body)
        except InvalidMessage:
            return
        if isinstance(result, ErrorMessage) or result.worker == FORGER:
            return
        job = self._wanting(result.job, result.attempt, result.chunk)
        kept = job is None or any(
            each.worker == result.worker for each in job.replicas_of(result.chunk)
        )
        detail = f"chunk {result.chunk} of {result.job} is not merged"
        self._world.sim.require(I6_RESULT, kept, detail)

    def raised(self, message: ChunkMessage) -> None:
        """A chunk raised its error once more."""
        if self._world.settled:
            self._raised[message.attempt] += 1
            count = self._raised[message.attempt]
            bodies = (replace(message, again=again).encode() for again in (False, True))
            copies = sum(self._world.chunks.sent[body] for body in bodies)
            most = _MOST_TRIES + _TRIES_OF_A_COPY * (copies - 1)
            self._world.sim.require(
                I5_TRIES, count <= most, f"{message.attempt}: {count} times, {copies} copies"
            )

    def letters(self) -> Iterator[bool]:
        """For each dead letter, whether it is one that somebody must still handle."""
        for message in self._world.dead_chunks.messages.values():
            with suppress(InvalidMessage):
                yield bool(ChunkMessage.decode(message.body))
        for message in self._world.dead_results.messages.values():
            with suppress(InvalidMessage):
                yield bool(decode_report(message.body))

    def conserves(self) -> None:
        """Each missing chunk of a sent job is on its way, in one form or the other."""
        if self._may_be_lost:
            return
        for job in self._world.ledger.jobs():
            if job.sent_at is None or self._wanting(job.id, job.attempt, None) is None:
                continue
            missing = job.missing
            lost = [
                c
                for c in missing
                # What is held of one worker is asked of another one, by a message or in time.
                if not (self._messages(job, c) or self._has_result(job, c) or job.replicas_of(c))
            ]
            buried = self._world.chunks.buried
            dead = [c for c in missing if buried and buried[self._bodies(job, c)[1]] > 1]
            self._world.sim.require(I5_DEATHS, not dead, f"chunks {dead} of {job.id} die on")
            self._world.sim.require(I5, not lost, f"chunks {lost} of {job.id} are nowhere")

    def is_true(self, job: Job, options: dict[str, Any]) -> bool:
        """Whether a job that fails at this moment does so for the reason it gives."""
        reasons: dict[str, Callable[[], bool]] = {
            DEADLINE_EXCEEDED: lambda: self._late(job) and not job.complete,
            INTEGRITY: lambda: (
                job.attempt in self._world.ledger.lied and job.refusals >= MAX_REFUSALS
            ),
            LOST_MESSAGES: lambda: job.resends >= MAX_RESENDS and not self._is_answered(job),
            STORAGE_DENIED: lambda: (
                job.spec == self._world.store.denied and self._world.store.was_refused
            ),
            CHUNK_FAILED: lambda: self._is_hopeless(job, options.get("unless_done")),
            NO_CANDIDATE_POINT: lambda: job.complete and self._world.known[job.spec].least is None,
        }
        return job.error is not None and job.error.code in reasons and reasons[job.error.code]()

    def is_fair(self, job: Job, chunk: int | None) -> bool:
        """Whether more than one ill machine speaks against a chunk that fails its job now."""
        if job.error is None or job.error.code != CHUNK_FAILED or chunk is None:
            return True
        known = self._world.ledger.inner.read_failure(job.id, job.attempt, chunk)
        if known is None or len(known.workers) > 1:
            return True
        machines = {i.arn: i.id for i in self._world.ec2.now()}
        illness = self._world.illnesses.get(machines[known.worker])
        return illness is None or not illness.is_seen

    def is_kept(self, job: Job, chunk: int) -> bool:
        """Whether the map of a chunk is stored, and is its own."""
        key = map_object(job.id, job.attempt, chunk)
        stored = self._world.store.get(key)
        return key in self.altered or stored == map_of(job.spec, grid_view(job).chunking.box(chunk))

    def _late(self, job: Job) -> bool:
        return self._world.sim.now > job.deadline - SERVICE_SKEW

    def _is_answered(self, job: Job) -> bool:
        return job.complete or any(self._has_result(job, chunk) for chunk in job.missing)

    def _is_hopeless(self, job: Job, chunk: int | None) -> bool:
        """Whether a chunk raises the same everywhere, or has been among the dead letters."""
        if chunk is None or chunk in job.done:
            return False
        this = job.spec, grid_view(job).chunking.box(chunk)
        if self._world.sim.faults.rates.keys() == {"poison chunk"}:
            return self._world.poison == this
        raises = self._world.raises == this
        bodies = self._bodies(job, chunk)
        tried = sum(self._world.chunks.received[body] for body in bodies)
        dead = any(self._world.chunks.buried[body] for body in bodies)
        # With errors of two machines on record a chunk is not sent once more after its first death.
        known = self._world.ledger.inner.read_failure(job.id, job.attempt, chunk)
        several = known is not None and not known.on_one_machine
        return raises or (dead and tried >= _DEATH * (1 if several else 2))

    @property
    def _may_be_lost(self) -> bool:
        injected = self._world.sim.faults.injected
        return injected["message lost"] > 0 or injected["queue swallows"] > 0

    def _wanting(self, name: str, attempt: str, chunk: int | None) -> Job | None:
        """The job that still wants a chunk's result, or any."""
        job = self._world.ledger.inner.read(name)
        if job is None or job.attempt != attempt or job.state.terminal:
            return None
        if chunk in job.done or self._late(job):
            return None
        return job

    def _messages(self, job: Job, chunk: int) -> int:
        """How many messages of a chunk there are, dead or alive."""
        alive, dead = self._world.chunks.carried, self._world.dead_chunks.carried
        first, again = self._bodies(job, chunk)
        return alive[first] + alive[again] + dead[first] + dead[again]

    def _has_result(self, job: Job, chunk: int) -> bool:
        """Whether there is a result; what tells of a failed try is none, and begins otherwise."""
        kind = f'"kind":"{SERIES_KIND}",' if job.kind == SERIES_KIND else ""
        whose = f'"job":"{job.id}","attempt":"{job.attempt}","chunk":{chunk},'
        mark = f'{{"version":{VERSION},{kind}{whose}'
        queues = self._world.results, self._world.dead_results
        return any(
            message.body.startswith(mark) and FORGER not in message.body
            for queue in queues
            for message in queue.messages.values()
        )

    def _bodies(self, job: Job, chunk: int) -> tuple[str, str]:
        """The messages of a job's chunk: as first sent, and as sent again after it was dead."""
        if (job.attempt, chunk) not in self._known:
            first = ChunkMessage(
                kind=job.kind,
                job=job.id,
                attempt=job.attempt,
                chunk=chunk,
                plan=job.plan,
                problem=job.spec,
                token=self._world.signer.token(job, chunk),
            )
            self._known[job.attempt, chunk] = first.encode(), replace(first, again=True).encode()
        return self._known[job.attempt, chunk]
