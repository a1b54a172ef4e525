"""`gridwell submit`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from gridwell.cli.options import client_at, timeout_option, url_option
from gridwell.cli.output import print_job
from gridwell.client import JobFailed
from gridwell.kinds.grid.formats import fit, read_atoms
from gridwell.program.commands import echo, json_option, print_json
from gridwell.terminal import follow

if TYPE_CHECKING:
    from gridwell.client import JobRequest
    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.grid import Grid

_THREE = (float, float, float)
_MARGIN = 5.0  #: in angstrom, as molecules are: room for an ion and its first shell of water


@click.command()
@click.option("--grid-size", type=int, metavar="N", help="N x N x N points at 0..N-1.")
@click.option("--origin", type=_THREE, metavar="X Y Z", help="Of any other grid: its first point.")
@click.option("--spacing", type=_THREE, metavar="X Y Z", help="Of that grid.  [1 1 1]")
@click.option("--shape", type=(int, int, int), metavar="X Y Z", help="Of that grid: its points.")
@click.option("--atom-count", type=int, metavar="N", help="Draw so many atoms in the grid's box.")
@click.option("--seed", type=int, help="Of that drawing.  [0]")
@click.option("--energy-range", type=(float, float), metavar="LOW HIGH", help="Of it.  [-1 1]")
@click.option(
    "--atoms",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Your own: CSV, JSON, MOL2, NPY, PDBQT, PQR or XYZ with charges.",
)
@click.option("--fit-spacing", type=float, metavar="H", help="A grid around --atoms, H apart.")
@click.option("--fit-margin", type=float, metavar="M", help=f"Around them.  [{_MARGIN:g}]")
@click.option("--min-distance", type=float, help="Leave out points nearer to an atom.")
@click.option("--softening", type=float, help="Distances below this count as this.")
@click.option("--top", type=int, metavar="K", help="Find so many points, one after the other.")
@click.option("--place", type=int, metavar="K", help="Place so many ions, one after the other.")
@click.option("--ion-energy", type=click.Choice(["1", "-1"]), help="Of these ions.  [1]")
@click.option("--min-separation", type=float, help="How far from one another these are.")
@click.option("--keep-grid", is_flag=True, default=None, help="Keep the potential of every point.")
@click.option("--wait", is_flag=True, help="Show the progress, then the answer.")
@timeout_option
@json_option
@url_option
def submit(*, wait: bool, timeout: float | None, as_json: bool, url: str, **asked: Any) -> None:
    """Submit a job, and print its id; the same request again joins the same job."""
    request = _request(asked)
    with client_at(url) as client:
        job = client.submit(**request)
        if wait:
            with contextlib.suppress(JobFailed):  # told below, after its JSON
                follow(client, job, timeout=timeout)
            print_job(client, job, as_json=as_json)
        elif as_json:
            print_json(job.status.fields)
        else:
            echo(job.id)


def _request(asked: dict[str, Any]) -> JobRequest:
    """The request that the options ask for; the service judges it."""
    given = {name: value for name, value in asked.items() if value is not None}
    grid = {name: given.pop(name) for name in ("origin", "spacing", "shape") if name in given}
    file, spacing = given.pop("file", None), given.pop("fit_spacing", None)
    margin = given.pop("fit_margin", None)
    if "place" in given:
        place: dict[str, Any] = {"count": given["place"], "energy": int(given.pop("ion_energy", 1))}
        if "min_separation" in given:
            place["min_separation"] = given.pop("min_separation")
        given["place"] = place
    elif "ion_energy" in given:
        raise click.UsageError("--ion-energy belongs to --place: how many ions are to be placed")
    request = cast("JobRequest", given)
    if grid:
        if "shape" not in grid:
            raise click.UsageError("--origin and --spacing need --shape: the points of the grid")
        request["grid"] = {"origin": (0.0, 0.0, 0.0), "spacing": (1.0, 1.0, 1.0)} | grid
    atoms = None if file is None else _read(file)
    if atoms is not None:
        request["atoms"] = atoms
    has_grid = bool(grid) or "grid_size" in request
    if (fitted := _fitted(atoms, spacing, margin, has_grid=has_grid)) is not None:
        request["grid"] = fitted
    return request


def _fitted(
    atoms: Atoms | None, spacing: float | None, margin: float | None, *, has_grid: bool
) -> Grid | None:
    """The grid around the atoms of a file, if one is wanted."""
    if spacing is None and margin is not None:
        raise click.UsageError("--fit-margin belongs to --fit-spacing")
    if spacing is None and atoms is not None and not has_grid:
        raise click.UsageError(
            "--atoms needs a grid: --fit-spacing 0.5 lays one around them; or give --grid-size, or "
            "--shape with --origin and --spacing"
        )
    if spacing is None:
        return None
    if atoms is None or has_grid:
        raise click.UsageError("--fit-spacing needs --atoms, and no other grid beside it")
    return fit(atoms, spacing=spacing, margin=_MARGIN if margin is None else margin)


def _read(file: Path) -> Atoms:
    """The atoms of a file; what was read of it is told on stderr."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{file}: {error.strerror}", param_hint="'--atoms'") from error
    found = read_atoms(data, file.name)
    echo(f"{file.name}: {found.words}", err=True)
    for note in found.notes:
        echo(f"note: {note}", err=True)
    return found.atoms
