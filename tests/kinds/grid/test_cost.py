"""How much work a job is thought to be, and in how many chunks it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.limits import MAX_CHUNKS
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.cost import CHUNK_SECONDS, chunk_count, seconds
from tests.kinds.grid.strategies import plan_shapes

atom_counts = st.integers(1, limits.MAX_ATOMS)


@given(plan_shapes, atom_counts)
def test_a_job_has_one_chunk_at_least_and_the_limit_at_most(
    shape: tuple[int, int, int], atoms: int
) -> None:
    assert 1 <= chunk_count(shape, atoms) <= MAX_CHUNKS


@given(plan_shapes, atom_counts, atom_counts)
def test_more_atoms_never_cost_less(shape: tuple[int, int, int], a: int, b: int) -> None:
    a, b = min(a, b), max(a, b)

    assert seconds(shape, a) <= seconds(shape, b)
    assert chunk_count(shape, a) <= chunk_count(shape, b)


@given(plan_shapes, atom_counts)
def test_chunks_are_of_two_seconds_unless_that_is_too_many(
    shape: tuple[int, int, int], atoms: int
) -> None:
    count = chunk_count(shape, atoms)

    if count < MAX_CHUNKS:
        assert seconds(shape, atoms) <= count * CHUNK_SECONDS


@pytest.mark.parametrize(
    ("shape", "atoms", "chunks"),
    [
        ((1, 1, 1), 1, 1),
        ((16, 16, 16), 1000, 1),
        ((31, 31, 31), 1, 1),
        ((32, 32, 32), 1, 8),  # 32,768 points are shared
        ((40, 40, 40), 200, 8),
        ((100, 100, 100), 1000, 8),
        ((100, 100, 100), 6000, 8),  # searched
        ((48, 48, 48), 115_000, 8),  # more atoms than points: summed
        ((64, 64, 64), 300_000, 40),
        ((400, 400, 400), 1_000_000, 9),
        ((99, 99, 99), 1_000_000, 256),
    ],
)
def test_known_jobs(shape: tuple[int, int, int], atoms: int, chunks: int) -> None:
    assert chunk_count(shape, atoms) == chunks
