"""Chunk messages name their job, and only refused ones are sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridwell.adapters.memory import ManualClock, MemoryQueue
from gridwell.engine.messages import ChunkMessage
from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND
from tests.harness.builders import SIGNER, a_job, a_token
from web_tier.jobs.enqueue import send_chunks

if TYPE_CHECKING:
    from collections.abc import Sequence


class RefusingQueue(MemoryQueue):
    """Refuses each body so many times before it takes it."""

    def __init__(self, refusals: dict[int, int]) -> None:
        super().__init__(ManualClock())
        self.refusals = refusals
        self.groups: set[str] = set()
        self.tried: list[list[int]] = []

    def send(self, bodies: Sequence[str], *, group: str = "") -> list[int]:
        self.groups.add(group)
        refused = []
        chunks = [ChunkMessage.decode(body).chunk for body in bodies]
        self.tried.append(chunks)
        for position, (body, chunk) in enumerate(zip(bodies, chunks, strict=True)):
            if self.refusals.get(chunk, 0) > 0:
                self.refusals[chunk] -= 1
                refused.append(position)
            else:
                super().send([body], group=group)
        return refused


def taken(queue: MemoryQueue) -> list[ChunkMessage]:
    return [ChunkMessage.decode(r.body) for r in queue.receive(at_most=10, wait=0)]


def test_a_message_names_its_job_attempt_chunk_plan_and_problem() -> None:
    job, queue = a_job(client="tenant"), RefusingQueue({})

    assert send_chunks(queue, job, [2], signer=SIGNER)

    assert taken(queue) == [
        ChunkMessage(
            kind=MINIMUM_KIND,
            job=job.id,
            attempt=job.attempt,
            chunk=2,
            plan=job.plan,
            problem=job.spec,
            token=a_token(job, 2),
        )
    ]
    assert queue.groups == {"tenant"}


def test_a_message_is_of_its_jobs_kind() -> None:
    queue = RefusingQueue({})

    assert send_chunks(queue, a_job(kind=MAP_KIND), [0, 1], signer=SIGNER)

    assert {message.kind for message in taken(queue)} == {MAP_KIND}


def test_only_refused_messages_are_sent_again() -> None:
    queue = RefusingQueue({1: 2, 3: 1})

    assert send_chunks(queue, a_job(), [0, 1, 2, 3], signer=SIGNER)

    assert queue.tried == [[0, 1, 2, 3], [1, 3], [1]]
    assert sorted(message.chunk for message in taken(queue)) == [0, 1, 2, 3]


def test_after_three_rounds_the_rest_is_left_to_the_reconciler() -> None:
    queue = RefusingQueue({1: 99})

    assert not send_chunks(queue, a_job(), [0, 1], signer=SIGNER)

    assert queue.tried == [[0, 1], [1], [1]]
    assert [message.chunk for message in taken(queue)] == [0]
