"""A map from the request to the file: web service, a worker with a real process, collector."""

from __future__ import annotations

import io
import math
import random
from typing import TYPE_CHECKING

import numpy as np

from app_tier.executor.pool import ProcessPool
from app_tier.kinds.grid.kernels import potential_map
from app_tier.kinds.registry import RUNNERS
from app_tier.worker.context import WorkerPorts
from app_tier.worker.worker import Worker, WorkerConfig
from gridwell.engine.job import JobState
from gridwell.kinds.grid import cost
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.names import MAP_KIND, SERIES_KIND
from tests.harness.oracle import true_series, true_value
from tests.harness.web_http import Site, a_service, problem_of

if TYPE_CHECKING:
    from gridwell.kinds.grid.problem import Problem
    from tests.harness.web import World

N = 32
ATOMS = 40
BODY = {"grid_size": N, "atom_count": ATOMS, "seed": 3, "min_distance": 0.8}


def work_all(world: World) -> None:
    """Let a worker with one process compute until it is idle."""
    with ProcessPool(1, runners="app_tier.kinds.registry:RUNNERS") as pool:
        worker = Worker(
            WorkerPorts(
                chunks=world.chunks,
                results=world.results,
                store=world.store,
                jobs=world.ledger,
                fleet=world.ledger,
                compute=pool,
                runners=RUNNERS,
                clock=world.clock,
                chance=lambda: 0.5,
            ),
            WorkerConfig(worker="worker-1", version="1", poll_seconds=1.0, minimum_uptime=0.0),
        )
        while worker.step().exit is None:
            pass


def bound(problem: Problem, triple: tuple[int, int, int]) -> float:
    """How far a map's value may lie from the canonical one, as the kernel promises."""
    point = [problem.grid.origin[k] + problem.grid.spacing[k] * triple[k] for k in range(3)]
    r = np.linalg.norm(problem.atoms.positions - point, axis=1)
    count = problem.atoms.count
    return float(2 * (count + 8) * 2.0**-53 * np.sum(np.abs(problem.atoms.energies) / r))


def test_a_map_is_asked_for_computed_kept_and_downloaded() -> None:
    site = Site()
    plain = site.done(BODY)  # its answer is known, which must not make the map's job end at once
    job = site.stored(site.post(BODY | {"keep_grid": True}))
    assert (job.state, job.kind) == (JobState.QUEUED, MAP_KIND)
    assert job.tasks == cost.chunk_count((N, N, N), ATOMS, MAP_KIND) == 8

    work_all(site.world)
    collector = site.world.collector()
    while collector.step().received:
        pass

    done = site.world.job(job)
    assert (done.state, done.result) == (JobState.DONE, plain.result)
    response = site.client.get(f"/v1/jobs/{job.id}/grid.npz")
    with np.load(io.BytesIO(response.data), allow_pickle=False) as file:
        found = file["potential"]
    problem = problem_of(a_service(site.world), job)
    assert problem is not None
    # Each chunk's is a map of its own, so the last bits may differ from those of the whole.
    whole = potential_map(problem.grid, problem.atoms, problem.grid.box, min_distance=0.8)
    assert np.array_equal(np.isnan(found), np.isnan(whole))
    np.testing.assert_allclose(found, whole, rtol=1e-11, atol=1e-13)
    least = grid_view(done).result
    assert least is not None
    assert int(np.nanargmin(found)) == least.index
    draw = random.Random(1)
    for _ in range(200):
        triple = (draw.randrange(N), draw.randrange(N), draw.randrange(N))
        true = true_value(problem, triple)
        if true is None:
            assert math.isnan(found[triple])
        else:
            assert abs(found[triple] - true) <= bound(problem, triple)


def test_more_points_of_a_job_with_a_map_are_found_by_a_job_that_keeps_none() -> None:
    site = Site()
    small = {"grid_size": 6, "atom_count": 9, "seed": 2}
    mapped = site.done(small | {"keep_grid": True})
    address = f"/v1/jobs/{mapped.id}/result?top=3&min_separation=2"
    series = site.stored(site.client.get(address))
    assert (series.state, series.kind) == (JobState.QUEUED, SERIES_KIND)

    work_all(site.world)
    collector = site.world.collector()
    while collector.step().received:
        pass

    problem = problem_of(a_service(site.world), series)
    assert problem is not None
    assert grid_view(site.world.job(series)).points == true_series(problem)
    assert site.client.get(address).get_json()["job"] == series.id
    assert site.client.get(f"/v1/jobs/{mapped.id}/grid.npz").status_code == 200
    assert site.client.get(f"/v1/jobs/{series.id}/grid.npz").status_code == 409
