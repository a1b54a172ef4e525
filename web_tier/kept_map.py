"""Reading the map that a job kept: slab by slab, whatever its size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.domain.errors import GridwellError
from gridwell.domain.objects import map_object
from gridwell.formats.stored_map import map_slabs
from web_tier.stored_objects import calls_about

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from gridwell.domain.job import Job
    from gridwell.domain.ports import ObjectStore

#: Of a slab: 4 MiB.  Larger ones need fewer requests, which take about 20 ms each, and more memory
#: for each client that reads.
SLAB_POINTS: Final = 2**19


class MapGone(GridwellError):  # noqa: N818 - named for what it is, as all of that tree
    """A chunk's map is no longer in the store."""


def map_values(
    store: ObjectStore, job: Job, *, most_points: int = SLAB_POINTS
) -> Iterator[NDArray[np.float64]]:
    """The map of a done job in C order, in slabs that are read as they are asked for.

    Nothing is held between two slabs, neither memory nor a connection to the store.

    Raises:
        MapGone: if a chunk's map is not there (any more).
        InvalidMessage: if one is damaged.
        ObjectDenied: if the store refuses one.
    """
    for slab in map_slabs(job.plan, most_points=most_points):
        values = np.empty(slab.shape)
        for run in slab.runs:
            key = map_object(job.id, job.attempt, run.chunk)
            with calls_about(key):
                data = store.get_range(key, run.start, run.length)
            if data is None:
                raise MapGone(f"the map of chunk {run.chunk} of job {job.id} is gone")
            place = (slice(low, low + size) for low, size in zip(run.low, run.shape, strict=True))
            values[tuple(place)] = run.values(data)
        yield values
