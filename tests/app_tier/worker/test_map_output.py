"""Chunks whose map is kept: it is stored before the result is told, and no file is left."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest

from app_tier.executor.pool import ProcessPool
from app_tier.kinds.grid.kernels import potential_map
from app_tier.kinds.grid.runners import MAP
from gridwell.engine.messages import ResultMessage
from gridwell.engine.task_files import block_digests, digest_of
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.map_objects import map_digests_object, map_object
from gridwell.kinds.grid.names import MAP_KIND
from tests.harness.builders import a_job, a_problem, atoms_at
from tests.harness.grid_tasks import RUNNERS, a_run_task, best_of
from tests.harness.oracle import true_minimum
from tests.harness.worker import World, actions, busy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app_tier.executor.port import TaskOutcome
    from gridwell.engine.job import Job
    from gridwell.kinds.grid.problem import Problem

PROBLEM = a_problem(6, atoms=9)


def mapped(problem: Problem) -> NDArray[np.float64]:
    return potential_map(
        problem.grid, problem.atoms, problem.grid.box, min_distance=problem.min_distance
    )


def kept(world: World, job: Job, chunk: int) -> NDArray[np.float64] | None:
    data = world.memory.get(map_object(job.id, job.attempt, chunk))
    return None if data is None else np.load(io.BytesIO(data), allow_pickle=False)


def test_the_minimum_of_a_map_is_the_exact_one_of_every_other_kind() -> None:
    for seed in range(5):
        problem = a_problem(7, atoms=20, seed=seed, min_distance=0.4)
        job = a_job(problem, chunks=4)
        for chunk in range(job.tasks):
            box = grid_view(job).chunking.box(chunk)
            # The first box's corner, as a worker's best known point may lie elsewhere.
            found = MAP.search(problem, box, None, lambda _points: None)
            assert found.best == true_minimum(problem, box)


def test_a_map_without_any_value_has_no_minimum() -> None:
    problem = a_problem(3, min_distance=50.0)

    found = MAP.search(problem, problem.grid.box, None, lambda _points: None)

    assert found.best is None
    assert found.map is not None
    assert np.isnan(found.map).all()


def test_a_computed_map_moves_while_it_is_computed() -> None:
    moves: list[int] = []
    problem = a_problem(40, atoms=2000)

    MAP.search(problem, problem.grid.box, None, moves.append)

    assert len(moves) > 10


def test_every_chunks_map_is_kept_and_holds_its_box() -> None:
    world = World()
    job = world.submit(PROBLEM, chunks=8, kind=MAP_KIND)

    world.run()

    whole = mapped(PROBLEM)
    for chunk in range(job.tasks):
        box = grid_view(job).chunking.box(chunk)
        block = whole[tuple(slice(*ends) for ends in zip(box.low, box.high, strict=True))]
        found = kept(world, job, chunk)
        assert found is not None
        np.testing.assert_allclose(found, block, rtol=1e-12)
    assert len(world.sent()) == job.tasks
    assert all(each.removed for each in world.compute.files)


def test_a_result_is_sent_only_after_its_map_is_kept_and_the_chunk_deleted_last() -> None:
    world = World()
    world.submit(PROBLEM, chunks=1, kind=MAP_KIND)

    world.step(2)
    world.compute.end()
    world.step()

    names = [name for name, _ in world.calls]
    assert names.index("store.put_new") < names.index("results.send") < names.index("chunks.delete")


def test_a_store_that_is_busy_keeps_the_result_back_until_the_map_is_kept() -> None:
    world = World()
    job = world.submit(PROBLEM, chunks=1, kind=MAP_KIND)
    world.store.failing["put_new"] = busy()
    world.step(2)
    world.compute.end()

    step = world.step()

    assert "worker.busy" in actions(step)
    assert world.sent() == []
    assert kept(world, job, 0) is None
    del world.store.failing["put_new"]
    world.run()
    assert len(world.sent()) == 1
    assert kept(world, job, 0) is not None
    assert world.left() == (0, 0)


def test_a_map_that_is_there_already_stays_and_this_one_is_stored_beside_it() -> None:
    world = World()
    job = world.submit(PROBLEM, chunks=1, kind=MAP_KIND)
    key = map_object(job.id, job.attempt, 0)
    world.memory.put_new(key, b"first", content_type="")

    world.run()

    (result,) = world.sent()
    assert isinstance(result, ResultMessage)
    assert result.digest is not None
    assert world.memory.get(key) == b"first"
    data = world.memory.get(map_object(job.id, job.attempt, 0, result.digest))
    digests = world.memory.get(map_digests_object(job.id, job.attempt, 0, result.digest))
    assert data is not None
    assert digests == block_digests(data)
    assert result.digest == digest_of(digests)


def test_a_chunk_that_is_let_go_leaves_no_map_behind() -> None:
    world = World()
    job = world.submit(PROBLEM, chunks=1, kind=MAP_KIND)
    world.store.failing["put_new"] = busy()
    world.step(2)
    world.compute.end()
    world.step()
    assert world.ledger.cancel(job.id, job.attempt, now=world.clock.now())
    del world.store.failing["put_new"]
    world.clock.sleep(100)

    world.run()

    assert all(each.removed for each in world.compute.files)


# --- with a real process


@pytest.fixture
def pool(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> ProcessPool:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return ProcessPool(1, runners=RUNNERS, stuck_seconds=0.5)


def test_a_process_hands_its_map_over_in_a_file_that_goes_with_the_pool(pool: ProcessPool) -> None:
    # An atom on a point: a gap in the map.
    problem = a_problem(5)
    problem = type(problem)(problem.grid, atoms_at((1, 2, 3, -1.0), (0.5, 0, 0, 1.0)))
    with pool:
        tasks = [a_run_task(ticket, problem, kind=MAP_KIND) for ticket in (1, 2)]
        for task in tasks:
            pool.submit(task)
        found: list[TaskOutcome] = []
        while len(found) < len(tasks):
            pool.wait(1.0)
            found += pool.finished()

        first, second = (outcome.file for outcome in found)
        assert first is not None
        assert second is not None
        assert [best_of(outcome) for outcome in found] == [true_minimum(problem)] * 2
        values = np.load(io.BytesIO(first.read()), allow_pickle=False)
        np.testing.assert_allclose(values, mapped(problem), rtol=1e-12)
        assert np.isnan(values[1, 2, 3])
        first.remove()
        first.remove()
        folder = second.path.parent  # type: ignore[attr-defined]
        assert list(folder.iterdir()) == [second.path]  # type: ignore[attr-defined]
    assert not folder.exists()
