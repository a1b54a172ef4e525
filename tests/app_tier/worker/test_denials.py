"""An object that the store refuses concerns its own chunk; a refusal of all ends the worker."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from gridwell.engine.errors import ServiceDenied
from gridwell.engine.object_keys import problem_object
from gridwell.engine.task_failure import MAP_DENIED, PROBLEM_DENIED
from gridwell.kinds.grid.map_objects import map_object
from gridwell.kinds.grid.names import MAP_KIND
from tests.harness.builders import a_problem
from tests.harness.denying import ARCHIVED, Denying, about, every
from tests.harness.worker import World, actions

BAD = a_problem(seed=1)
GOOD = a_problem(seed=2)


def a_world(refuses: Any, **habits: Any) -> World:
    """A world whose store refuses calls."""
    world = World(**habits)
    context = world.worker._context
    context.ports = dataclasses.replace(context.ports, store=Denying(world.store, refuses))
    return world


def test_a_refused_problem_is_reported_and_the_chunks_beside_it_are_computed() -> None:
    world = a_world(about(problem_object(BAD.sha)), cores=2)
    world.submit(BAD, chunks=2)
    good = world.submit(GOOD, chunks=2)
    step = world.step()
    world.compute.end()
    world.step()

    assert [result.job for result in world.sent()] == [good.id] * 2
    assert {error.code for error in world.errors()} == {PROBLEM_DENIED}
    assert all(ARCHIVED in error.text and BAD.sha in error.text for error in world.errors())
    assert actions(step).count("worker.chunk_denied") == 2
    assert world.left() == (0, 2)  # given back, to be tried later


def test_a_problem_that_is_refused_for_a_while_is_computed_afterwards() -> None:
    denied = [problem_object(BAD.sha)]
    world = a_world(lambda _name, args: args[0] in denied)
    world.submit(BAD, chunks=1)
    world.step()
    denied.clear()
    world.clock.advance(5)
    world.step()
    world.compute.end()
    world.step()

    assert len(world.sent()) == 1


def test_a_refused_map_is_reported_and_the_chunks_beside_it_are_kept() -> None:
    world = a_world(lambda name, args: name == "put_new" and args[0].endswith("/0.npy"))
    job = world.submit(BAD, chunks=2, kind=MAP_KIND)
    world.step()
    world.compute.end()
    world.step()

    assert [result.chunk for result in world.sent()] == [1]
    assert [(error.chunk, error.code) for error in world.errors()] == [(0, MAP_DENIED)]
    assert map_object(job.id, job.attempt, 1) in world.memory.objects
    assert all(kept.removed for kept in world.compute.files)


def test_a_store_that_refuses_every_object_ends_the_worker() -> None:
    world = a_world(every())
    world.submit(BAD)

    with pytest.raises(ServiceDenied):
        world.step()
