"""A map is the same whatever its chunks and its slabs."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.errors import InvalidMessage
from gridwell.kinds.grid.chunking import Chunking, split
from gridwell.kinds.grid.formats.atoms.npy import float64_header
from gridwell.kinds.grid.stored_map import map_slabs

lengths = st.integers(1, 9)


@st.composite
def plans(draw: st.DrawFn) -> Chunking:
    """Plans that cut anywhere."""
    x, y, z = (
        (0, *sorted(draw(st.sets(st.integers(1, length - 1), max_size=3))), length)
        if length > 1
        else (0, 1)
        for length in draw(st.tuples(lengths, lengths, lengths))
    )
    return Chunking((x, y, z))


def stored(values: np.ndarray, plan: Chunking) -> list[bytes]:
    """What workers store of a map."""
    chunks = []
    for chunk in range(plan.chunks):
        box = plan.box(chunk)
        block = values[tuple(slice(low, high) for low, high in zip(box.low, box.high, strict=True))]
        file = io.BytesIO()
        np.save(file, np.ascontiguousarray(block), allow_pickle=False)
        chunks.append(file.getvalue())
    return chunks


@given(plans(), st.integers(1, 200))
def test_slabs_of_chunks_follow_each_other_in_the_maps_own_order(plan: Chunking, most: int) -> None:
    shape = [cuts[-1] for cuts in plan.cuts]
    values = np.arange(math.prod(shape), dtype=np.float64).reshape(shape)
    chunks = stored(values, plan)

    read = []
    for slab in map_slabs(plan, most_points=most):
        assert math.prod(slab.shape) <= max(most, shape[2])
        block = np.full(slab.shape, np.nan)
        for run in slab.runs:
            place = tuple(
                slice(low, low + size) for low, size in zip(run.low, run.shape, strict=True)
            )
            block[place] = run.values(chunks[run.chunk][run.start : run.start + run.length])
        read.append(block.reshape(-1))

    assert np.array_equal(np.concatenate(read), values.reshape(-1))


@given(plans(), st.integers(1, 200))
def test_every_byte_of_a_chunk_is_read_once(plan: Chunking, most: int) -> None:
    sizes = [0] * plan.chunks
    for slab in map_slabs(plan, most_points=most):
        for run in slab.runs:
            assert run.start == sizes[run.chunk]
            sizes[run.chunk] += run.length

    boxes = map(plan.box, range(plan.chunks))
    assert sizes == [len(float64_header(box.shape)) + 8 * box.points for box in boxes]


def test_what_is_no_chunk_of_the_plan_is_refused() -> None:
    plan = split((4, 4, 4), 1)
    (slab,) = map_slabs(plan, most_points=64)
    (run,) = slab.runs
    whole = float64_header((4, 4, 4)) + bytes(8 * 64)
    assert run.values(whole).shape == (4, 4, 4)

    for data in (whole[:-1], whole + b"x", b"", whole.replace(b"<f8", b"<f4")):
        with pytest.raises(InvalidMessage, match="chunk 0 is damaged"):
            run.values(data)
