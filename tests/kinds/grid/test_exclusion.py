"""Zones against a loop that looks at each point, and boxes against their points."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.kinds.grid.exclusion import NO_ZONES, checked, engulfed, outside

coordinates = st.one_of(st.integers(-4, 4).map(float), st.floats(-4, 4), st.just(1e-170))
radii = st.one_of(st.sampled_from([0.0, 1.0, 2.0, 1e-165, 1e-162]), st.floats(0, 9))
zones = st.lists(st.tuples(coordinates, coordinates, coordinates, radii), max_size=4)
axes = st.tuples(*[st.lists(coordinates, min_size=1, max_size=4)] * 3)


def is_in(place: tuple[float, ...], zone: tuple[float, float, float, float]) -> bool:
    dx, dy, dz = (place[k] - zone[k] for k in range(3))
    r2 = dx * dx + dy * dy + dz * dz
    return r2 < zone[3] * zone[3] or r2 == 0


@given(zones, axes)
def test_a_point_is_outside_if_it_is_in_no_zone(
    spheres: list[tuple[float, float, float, float]], places: tuple[list[float], ...]
) -> None:
    x, y, z = (np.array(each) for each in places)

    free = outside(np.array(spheres).reshape(-1, 4), x[:, None, None], y[:, None], z)

    true = [not any(is_in(p, zone) for zone in spheres) for p in itertools.product(*places)]
    assert free.ravel().tolist() == true


@given(zones, axes)
def test_an_engulfed_box_has_no_point_outside(
    spheres: list[tuple[float, float, float, float]], places: tuple[list[float], ...]
) -> None:
    low, high = (np.array([[end(axis) for axis in places]]) for end in (min, max))

    (inside,) = engulfed(np.array(spheres).reshape(-1, 4), low, high)

    corners = itertools.product(*zip(low[0].tolist(), high[0].tolist(), strict=True))
    wholly = any(all(is_in(p, zone) for p in corners) for zone in spheres for _ in [0])
    points = list(itertools.product(*places))
    assert not inside or all(any(is_in(p, zone) for zone in spheres) for p in points)
    assert inside or not wholly or len(points) > 1


@pytest.mark.parametrize(
    "rows", [[[0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, -1.0]], [[0.0, np.nan, 0.0, 1.0]], [1.0] * 4]
)
def test_what_are_no_zones_is_refused(rows: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="zone"):
        checked(np.array(rows))


def test_none_are_no_zones() -> None:
    assert checked(None) is NO_ZONES
