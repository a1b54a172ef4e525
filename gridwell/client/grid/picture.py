"""A job's atoms and points in space, as SVG: for notebooks, without a plotting library.  Pure.

Points farther away are drawn first, smaller and paler.  The view is fixed: turned about the z axis
and seen from a little above.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from gridwell.client.grid.status import GridStatus

DRAWN_ATOMS: Final = 2000  #: of more than that those of the largest charges
_WIDTH, _HEIGHT, _EDGE = 480, 400, 24  #: in pixels; the edge is left free
_TURN, _TILT = math.radians(30.0), math.radians(20.0)
_NEGATIVE, _POSITIVE, _NEUTRAL, _GOLD = "#2166ac", "#d6604d", "#999999", "#f5b800"
_ATOM, _POINT = 5.0, 8.0  #: radii in pixels, of the nearest


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG image, which notebooks show; `svg` is its text."""

    svg: str = field(repr=False)

    def _repr_svg_(self) -> str:
        return self.svg


def draw(status: GridStatus, atoms: NDArray[np.float64]) -> Picture:
    """The atoms of a job, the box of its grid, and the points that it found with their numbers.

    Args:
        status: the job.
        atoms: of shape (N, 4): x, y, z and energy.
    """
    if len(atoms) > DRAWN_ATOMS:
        atoms = atoms[np.sort(np.argsort(-np.abs(atoms[:, 3]), kind="stable")[:DRAWN_ATOMS])]
    points = np.array([found.point for found in status.points]).reshape(-1, 3)
    view = _View(_corners(status))
    marks = [*_atoms(view, atoms), *_points(view, points)]
    parts = [*_box(view), *(mark for _, mark in sorted(marks, key=lambda each: each[0]))]
    found = f"{len(points)} {'ions' if status.ions else 'points'}"
    words = f"{status.atom_count:,} atoms in the box of the grid, and {found}"
    return Picture(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-family="sans-serif" font-size="10">'
        f"<title>{words}</title>\n" + "\n".join(parts) + "\n</svg>"
    )


class _View:
    """From places in space to places on paper, and how near they are: from 0 to 1.

    Args:
        corners: what must fit on the paper, of shape (N, 3).
    """

    def __init__(self, corners: NDArray[np.float64]) -> None:
        self.corners = corners
        self._middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
        seen = self._turned(corners)
        half = np.maximum(np.abs(seen).max(axis=0), 1e-9)
        room = np.array([_WIDTH, _HEIGHT]) / 2 - _EDGE
        self._scale = float((room / half[:2]).min())
        self._depth = float(half[2])

    def __call__(self, places: NDArray[np.float64]) -> list[tuple[float, float, float]]:
        """Pixels from the left, pixels from the top, and nearness."""
        right, up, near = self._turned(places).T
        left, top = _WIDTH / 2 + self._scale * right, _HEIGHT / 2 - self._scale * up
        nearness = np.clip((near / self._depth + 1) / 2, 0, 1)
        return list(zip(left.tolist(), top.tolist(), nearness.tolist(), strict=True))

    def _turned(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """To the right, up, and towards the reader."""
        x, y, z = (places - self._middle).T
        right = x * math.cos(_TURN) - y * math.sin(_TURN)
        away = x * math.sin(_TURN) + y * math.cos(_TURN)
        up = z * math.cos(_TILT) + away * math.sin(_TILT)
        return np.stack([right, up, z * math.sin(_TILT) - away * math.cos(_TILT)], axis=1)


def _corners(status: GridStatus) -> NDArray[np.float64]:
    """Of the grid's box: their order is that of the bits of 0..7."""
    low = np.array(status.origin)
    high = low + np.array(status.spacing) * (np.array(status.shape) - 1)
    return np.array([*itertools.product(*zip(low.tolist(), high.tolist(), strict=True))])


def _box(view: _View) -> Iterator[str]:
    places = view(view.corners)
    for a, b in itertools.combinations(range(8), 2):
        if (a ^ b).bit_count() == 1:  # they differ along one axis
            (x1, y1, _), (x2, y2, _) = places[a], places[b]
            yield (
                f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                f'stroke="{_NEUTRAL}" stroke-opacity="0.4"/>'
            )


def _atoms(view: _View, atoms: NDArray[np.float64]) -> Iterator[tuple[float, str]]:
    for (x, y, near), energy in zip(view(atoms[:, :3]), atoms[:, 3].tolist(), strict=True):
        colour = _NEGATIVE if energy < 0 else _POSITIVE if energy > 0 else _NEUTRAL
        radius, opacity = _ATOM * (0.5 + near / 2), 0.35 + 0.65 * near
        paint = f'fill="{colour}" fill-opacity="{opacity:.2f}"'
        yield near, f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" {paint}/>'


def _points(view: _View, points: NDArray[np.float64]) -> Iterator[tuple[float, str]]:
    for number, (x, y, near) in enumerate(view(points), start=1):
        radius, paint = _POINT * (0.7 + near * 0.3), f'fill="{_GOLD}" stroke="#000000"'
        circle = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" {paint}/>'
        text = f'<text x="{x:.1f}" y="{y + 3.5:.1f}" text-anchor="middle">{number}</text>'
        yield near, circle + text
