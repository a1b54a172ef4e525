"""Reading the map that a job kept: slab by slab, whatever its size, and verified block by block."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.engine.errors import GridwellError, InvalidMessage
from gridwell.engine.object_keys import problem_object
from gridwell.engine.stored_objects import calls_about
from gridwell.engine.task_files import BLOCK_BYTES, digest_of, verified
from gridwell.kinds.grid.formats.atoms.npy import float64_header
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.map_check import MapCheck
from gridwell.kinds.grid.map_objects import map_digests_object, map_object
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.stored_map import DTYPE, VALUE_BYTES, map_slabs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from gridwell.engine.job import Job
    from gridwell.engine.ports import ObjectStore

#: Of a slab: 4 MiB.  Larger ones need fewer requests, which take about 20 ms each, and more memory
#: for each client that reads.
SLAB_POINTS: Final = 2**19


class MapGone(GridwellError):  # noqa: N818 - named for what it is, as all of that tree
    """A chunk's map, or what it must be checked by, is no longer in the store."""


def map_values(
    store: ObjectStore, job: Job, *, most_points: int = SLAB_POINTS
) -> Iterator[NDArray[np.float64]]:
    """Yield the map of a done job in C order, in slabs that are read as they are asked for.

    Each byte is verified by the digests that the ledger has; a job of a release that kept none is
    read as it is.  Between two slabs no connection to the store is held, and of memory a block of
    each chunk that the slab cut.

    Raises:
        MapGone: if a chunk's map is not there (any more), or the problem that is needed to check a
            value.
        InvalidMessage: if one is damaged, is not what its worker reported, or contradicts the
            job's answer.
        ObjectDenied: if the store refuses one.
    """
    chunks: dict[int, ChunkReader] = {}
    check = MapCheck(job, partial(_problem, store, job))
    first = 0
    for slab in map_slabs(grid_view(job).chunking, most_points=most_points):
        values = np.empty(slab.shape)
        for run in slab.runs:
            chunk = chunks.setdefault(run.chunk, ChunkReader(store, job, run.chunk))
            data = chunk.read(run.start, run.length)
            block = (slice(low, low + size) for low, size in zip(run.low, run.shape, strict=True))
            values[tuple(block)] = run.values(data)
        for number in chunks.keys() - {run.chunk for run in slab.runs}:
            chunks[number].forget()
        check.check_slab(first, values)
        least = grid_view(job).result
        if first == 0 and least is not None and least.index >= values.size:
            # What would break the file off later shall refuse it before it begins.
            triple = grid_view(job).grid.triple(least.index)
            chunk = ChunkReader(store, job, grid_view(job).chunking.chunk_at(triple))
            check.check_answer(chunk.read_value(triple))
        first += values.size
        yield values


def _problem(store: ObjectStore, job: Job) -> Problem:
    key = problem_object(job.spec)
    with calls_about(key):
        data = store.get(key)
    if data is None:
        raise MapGone(f"the map of job {job.id} cannot be checked, as its problem is gone")
    return Problem.decode(data, sha=job.spec)


class ChunkReader:
    """Reads parts of one chunk's map.

    Args:
        store: where it is.
        job: the job, with the digests of its chunks.
        chunk: its number.
    """

    def __init__(self, store: ObjectStore, job: Job, chunk: int) -> None:
        self._store = store
        self._chunk = chunk
        self._job = job
        self._digest = dict(job.digests).get(chunk)
        self._digests: bytes | None = None
        self._key = map_object(job.id, job.attempt, chunk)
        self._tail = -1, b""  #: the last block that was read, as the next part begins within it

    def read(self, start: int, length: int) -> bytes:
        """Return some bytes; what lies behind the end is left out.

        Raises:
            MapGone: if they are not there (any more).
            InvalidMessage: if they are not those that the chunk's worker reported.
            ObjectDenied: if the store refuses them.
        """
        if self._digest is None and not self._job.digests:
            return self._get(start, length)
        first, last = start // BLOCK_BYTES, (start + length - 1) // BLOCK_BYTES
        held, block = self._tail
        data = block if held == first else b""
        missing = first + bool(data)
        if missing <= last:
            data += self._verified(missing, last)
        cut = (last - first) * BLOCK_BYTES
        self._tail = last, data[cut:]
        offset = start - first * BLOCK_BYTES
        return data[offset : offset + length]

    def read_value(self, triple: tuple[int, int, int]) -> float:
        """Return the value of one point of the chunk; errors as of `read`.

        Args:
            triple: the point's grid indices.
        """
        box = grid_view(self._job).chunking.box(self._chunk)
        own = [at - low for at, low in zip(triple, box.low, strict=True)]
        before = int(np.ravel_multi_index(own, box.shape)) * VALUE_BYTES
        data = self.read(len(float64_header(box.shape)) + before, VALUE_BYTES)
        if len(data) != VALUE_BYTES:
            raise InvalidMessage(
                f"the stored map of chunk {self._chunk} of job {self._job.id} is damaged: it is "
                "too short"
            )
        return float(np.frombuffer(data, DTYPE)[0])

    def forget(self) -> None:
        """Let go of what is held for the next read."""
        self._tail = -1, b""

    def _verified(self, first: int, last: int) -> bytes:
        try:
            digests = self._digests or self._list()
            self._digests = digests
            data = self._get(first * BLOCK_BYTES, (last - first + 1) * BLOCK_BYTES)
            return verified(data, first, digests)
        except InvalidMessage as error:
            raise InvalidMessage(
                f"the stored map of chunk {self._chunk} of job {self._job.id} is damaged or was "
                f"replaced: {error}; nothing of it is served, look at object {self._key}"
            ) from error

    def _list(self) -> bytes:
        """Find the digests that the ledger's digest names, at one of the chunk's two keys."""
        whose = self._job.id, self._job.attempt, self._chunk
        if self._digest is None:
            raise InvalidMessage("the ledger has no digest of it")
        found = False
        for name in ("", self._digest):
            key = map_digests_object(*whose, name)
            with calls_about(key):
                digests = self._store.get(key)
            found |= digests is not None
            if digests is not None and digest_of(digests) == self._digest:
                self._key = map_object(*whose, name)
                return digests
        if found:
            raise InvalidMessage("its digests are not those that the ledger has")
        raise MapGone(f"the map of chunk {self._chunk} of job {self._job.id} is gone")

    def _get(self, start: int, length: int) -> bytes:
        with calls_about(self._key):
            data = self._store.get_range(self._key, start, length)
        if data is None:
            raise MapGone(f"the map of chunk {self._chunk} of job {self._job.id} is gone")
        return data
