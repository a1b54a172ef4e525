"""The limits of what can be asked, in one place.

They keep every distance, term and sum finite in float64, every message small, and every cost
known before it is incurred.  The API's description and each error's text quote these numbers.
"""

from __future__ import annotations

from typing import Final

from gridwell.engine.limits import MAX_PAYLOAD

MAX_COORDINATE: Final = 1e9  #: of an atom or of the grid's origin, in the caller's length unit
MIN_SPACING: Final = 1e-9
MAX_SPACING: Final = 1e9
MIN_ENERGY: Final = 1e-30  #: of an absolute energy that is not zero
MAX_ENERGY: Final = 1e30
MAX_DISTANCE: Final = 1e9  #: of ``min_distance`` and ``softening``
MIN_SOFTENING: Final = 1e-30  #: of a softening that is not zero: no term may be infinite
MAX_POINTS: Final = 2**31
MAX_AXIS: Final = 65_536  #: points along one axis
MAX_ATOMS: Final = 1_000_000
MAX_SEED: Final = 2**53 - 1  #: the largest integer that every JSON reader keeps exactly

MAX_SERIES: Final = MAX_PAYLOAD  #: points of one job: their keys are its result's payload
MAX_SERIES_SECONDS: Final = 300.0  #: estimated: half of what one chunk may take

MAX_MAP_POINTS: Final = 2**28  #: of a map that is kept: 2 GiB as NPZ, 5 as OpenDX
#: Of its points and atoms: each pair is summed, six hours of one core.
MAX_MAP_PAIRS: Final = 10**13
MAP_CHUNK_POINTS: Final = 2**22  #: of its chunks: 32 MiB, which a worker's memory holds easily

CHECKED_PAIRS: Final = 10_000_000  #: up to this many, "no point left" is told at the door
