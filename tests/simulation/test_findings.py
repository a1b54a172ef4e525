"""What the simulator found in the programs, as small as can be."""

from __future__ import annotations

from dataclasses import replace

from autoscaler.decide.launch_intents import remember
from gridwell.engine.job import JobError, JobState
from tests.autoscaler.decide.snapshots import instance, slot_of
from tests.harness.builders import NOW, OTHER_ATTEMPT
from tests.harness.worker import World


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


def test_a_late_look_at_an_instance_just_started_does_not_age_it() -> None:
    # Else its next stop counts from there, if nobody looks meanwhile: it goes minutes too soon.
    started = slot_of(instance(0, "stopped"), started_at=NOW - 20)

    (slot,) = remember([started], [instance(0, "stopped")], now=NOW, lag_seconds=60)

    assert slot.stopped_since is None
