"""What Hypothesis draws for the domain: grids, atoms and problems with nasty corners."""

from __future__ import annotations

from hypothesis import strategies as st

from gridwell.engine.job import Job, JobState
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.chunking import split
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND, SERIES_KIND
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.series import Series
from tests.harness.builders import a_job

#: Lattice places, places between, tiny offsets and the ends of the world.
coordinates = st.one_of(
    st.integers(-3, 6).map(float),
    st.integers(-12, 24).map(lambda k: k / 4),
    st.floats(-5, 5, allow_subnormal=True),
    st.floats(-limits.MAX_COORDINATE, limits.MAX_COORDINATE),
)
energies = st.one_of(
    st.sampled_from([1.0, -1.0, 0.0, -0.0, 2.0, -2.0]),
    st.floats(-3, 3).filter(lambda e: e == 0 or abs(e) >= limits.MIN_ENERGY),
    st.floats(limits.MIN_ENERGY, limits.MAX_ENERGY),
    st.floats(-limits.MAX_ENERGY, -limits.MIN_ENERGY),
)
spacings = st.one_of(st.sampled_from([1.0, 0.5, 0.1]), st.floats(1e-3, 10))
lengths = st.integers(1, 5)
shapes = st.tuples(lengths, lengths, lengths)
grids = st.builds(
    Grid,
    st.tuples(coordinates, coordinates, coordinates),
    st.tuples(spacings, spacings, spacings),
    shapes,
)
atoms = st.lists(
    st.tuples(coordinates, coordinates, coordinates, energies), min_size=1, max_size=8
).map(Atoms.from_rows)
distances = st.one_of(
    st.just(0.0), st.sampled_from([0.5, 1.0, 2.0, limits.MIN_SOFTENING]), st.floats(1e-3, 4)
)
problems = st.builds(Problem, grids, atoms, distances, distances)
finite = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True)
series = st.builds(
    Series, st.integers(2, 200), st.floats(0, limits.MAX_DISTANCE), st.sampled_from([0, 1, -1])
)
minima = st.builds(Minimum, finite, st.integers(0, limits.MAX_POINTS - 1))
plan_shapes = st.tuples(*[st.integers(1, 400)] * 3)


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    """Jobs of random problems, with some chunks merged."""
    problem, kind = draw(problems), draw(st.sampled_from([MINIMUM_KIND, MAP_KIND, SERIES_KIND]))
    chunking = split(problem.grid.shape, draw(st.integers(1, 12)))
    done = draw(st.frozensets(st.integers(0, chunking.chunks - 1)))
    return a_job(
        problem,
        chunking=chunking,
        kind=kind,
        done=done,
        series=draw(st.none() | series),
        state=JobState.RUNNING if done else JobState.QUEUED,
    )
