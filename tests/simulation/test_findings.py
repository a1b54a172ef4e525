"""What the simulator found in the programs, as small as can be."""

from __future__ import annotations

from dataclasses import replace

from gridwell.domain.job import JobError, JobState
from tests.app_tier.world import World
from tests.builders import NOW, OTHER_ATTEMPT


def test_chunks_of_a_new_attempt_are_computed_though_the_one_before_is_remembered() -> None:
    world = World()
    job = world.submit(chunks=1)
    world.step()
    assert world.ledger.fail(job.id, job.attempt, JobError("integrity", "a lie"), now=NOW)
    again = replace(job, attempt=OTHER_ATTEMPT, state=JobState.QUEUED, run=2, created=NOW + 1)
    assert world.ledger.create(again, replaces=job)
    world.send(again, [0])
    world.step(2)

    assert len(world.compute.tasks) == 2  # the old attempt's chunk goes with the next heartbeat
