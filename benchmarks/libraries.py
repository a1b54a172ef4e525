"""Every pair by torch, jax, pykeops and fmm3dpy: see `benchmarks.peers`.

The libraries are imported by name and only when they are called, as the project installs none.
"""

from __future__ import annotations

import math
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import DTypeLike, NDArray

    from benchmarks.rivals import Rival
    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.grid import Grid

LIBRARIES: Final = ("torch", "jax", "pykeops", "fmm3dpy")

_DOUBLE, _SINGLE = np.float64, np.float32
_BLOCK = 1024  #: atoms at a time: 64 x 1024 doubles stay in a core's cache
_FULL_SPHERE = 4 * math.pi  #: fmm3dpy sums e / (4 pi r)


def every_pair_by(there: Collection[str]) -> dict[str, Rival]:
    """Ways to sum every pair by those of `LIBRARIES` that are there, by name.

    The first call of some of them compiles.
    """
    found: dict[str, Rival] = {}
    for kind, name in ((_DOUBLE, "float64"), (_SINGLE, "float32")):
        if "torch" in there:
            found[f"torch cdist, {name}"] = partial(_torch_cdist, kind)
            found[f"torch, row by row with rsqrt, {name}"] = partial(_torch_rows, kind)
        if "jax" in there:
            found[f"jax, lax.map over rows, {name}"] = partial(_jax_rows(), kind)
        if "pykeops" in there:
            found[f"pykeops on the CPU, {name}"] = partial(_keops, kind)
    if "fmm3dpy" in there:
        found["fmm3dpy l3ddir, float64"] = _fortran
    return found


def _torch_cdist(kind: DTypeLike, grid: Grid, atoms: Atoms, rows: range) -> NDArray[np.float64]:
    torch: Any = import_module("torch")
    torch.set_num_threads(1)
    places = torch.from_numpy(atoms.positions.astype(kind))
    energies = torch.from_numpy(atoms.energies.astype(kind))
    out = np.empty((len(rows), grid.shape[0]))
    for i, row in enumerate(rows):
        points = torch.from_numpy(points_of(grid, range(row, row + 1), kind))
        # The other mode multiplies matrices and loses three digits by cancelling.
        r = torch.cdist(points, places, compute_mode="donot_use_mm_for_euclid_dist")
        out[i] = (r.reciprocal_() @ energies).numpy()
    return out


def _torch_rows(kind: DTypeLike, grid: Grid, atoms: Atoms, rows: range) -> NDArray[np.float64]:
    torch: Any = import_module("torch")
    torch.set_num_threads(1)
    n = grid.shape[0]
    table = torch.from_numpy(atoms.rows().astype(kind))
    out = torch.zeros((len(rows), n), dtype=table.dtype)
    heights = torch.arange(n, dtype=table.dtype)
    for block in table.split(_BLOCK):
        x, y, z, energies = block.T.contiguous()
        dz2 = (heights[:, None] - z) ** 2
        buffer = torch.empty_like(dz2)
        for i, row in enumerate(rows):
            dxy2 = (row // n - x) ** 2 + (row % n - y) ** 2
            out[i] += torch.add(dz2, dxy2, out=buffer).rsqrt_() @ energies
    found: NDArray[np.float64] = out.numpy().astype(_DOUBLE)
    return found


def _jax_rows() -> Callable[[DTypeLike, Grid, Atoms, range], NDArray[np.float64]]:
    jax: Any = import_module("jax")
    jax.config.update("jax_enable_x64", True)  # noqa: FBT003  its only form

    def row(table: Any, points: Any) -> Any:
        d = [points[:, k, None] - table[:, k] for k in range(3)]
        r2 = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
        return (table[:, 3] * jax.lax.rsqrt(r2)).sum(axis=1)

    every = jax.jit(lambda table, points: jax.lax.map(partial(row, table), points))

    def run(kind: DTypeLike, grid: Grid, atoms: Atoms, rows: range) -> NDArray[np.float64]:
        points = points_of(grid, rows, kind).reshape(len(rows), -1, 3)
        return np.asarray(every(atoms.rows().astype(kind), points), dtype=_DOUBLE)

    return run


def _keops(kind: DTypeLike, grid: Grid, atoms: Atoms, rows: range) -> NDArray[np.float64]:
    lazy: Any = import_module("pykeops.numpy").LazyTensor
    points = lazy(points_of(grid, rows, kind)[:, None, :])
    places = lazy(atoms.positions.astype(kind)[None, :, :])
    energies = lazy(atoms.energies.astype(kind)[None, :, None])
    found = (((points - places) ** 2).sum(-1).rsqrt() * energies).sum(axis=1, backend="CPU")
    return np.asarray(found, dtype=_DOUBLE).reshape(len(rows), -1)


def _fortran(grid: Grid, atoms: Atoms, rows: range) -> NDArray[np.float64]:
    out = import_module("fmm3dpy").l3ddir(
        sources=np.asfortranarray(atoms.positions.T),
        charges=np.array(atoms.energies),
        targets=np.asfortranarray(points_of(grid, rows).T),
        thresh=0.0,
        pgt=1,
    )
    return _FULL_SPHERE * np.asarray(out.pottarg).reshape(len(rows), -1)


def fast_multipole(grid: Grid, atoms: Atoms, eps: float) -> int:
    """Return the index of the least of the approximate potentials of all points."""
    out = import_module("fmm3dpy").lfmm3d(
        eps=eps,
        sources=np.asfortranarray(atoms.positions.T),
        charges=np.array(atoms.energies),
        targets=np.asfortranarray(points_of(grid, range(grid.shape[0] ** 2)).T),
        pgt=1,
    )
    return int(np.argmin(out.pottarg))


def points_of(grid: Grid, rows: range, kind: DTypeLike = _DOUBLE) -> NDArray[Any]:
    """Coordinates of the points of rows, shape (points, 3)."""
    n = grid.shape[0]
    row, z = np.divmod(np.arange(rows.start * n, rows.stop * n), n)
    return np.stack([*np.divmod(row, n), z], axis=-1).astype(kind)
