"""`gridwell submit`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
import numpy as np

from gridwell.cli.answers import print_job
from gridwell.cli.options import client_at, json_option, timeout_option, url_option
from gridwell.client import JobFailed
from gridwell.show import follow

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from gridwell.client import JobRequest

_THREE = (float, float, float)


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
    help="Your own: rows of x, y, z, energy as .npy, .json or .csv.",
)
@click.option("--min-distance", type=float, help="Leave out points nearer to an atom.")
@click.option("--softening", type=float, help="Distances below this count as this.")
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
        else:
            click.echo(json.dumps(job.status.fields) if as_json else job.id)


def _request(asked: dict[str, Any]) -> JobRequest:
    """The request that the options ask for; the service judges it."""
    given = {name: value for name, value in asked.items() if value is not None}
    grid = {name: given.pop(name) for name in ("origin", "spacing", "shape") if name in given}
    file = given.pop("file", None)
    request = cast("JobRequest", given)
    if grid:
        if "shape" not in grid:
            raise click.UsageError("--origin and --spacing need --shape: the points of the grid")
        request["grid"] = {"origin": (0.0, 0.0, 0.0), "spacing": (1.0, 1.0, 1.0)} | grid
    if file is not None:
        request["atoms"] = _read_atoms(file)
    return request


def _read_atoms(file: Path) -> ArrayLike:
    try:
        match file.suffix.lower():
            case ".npy":
                table: ArrayLike = np.load(file, allow_pickle=False)
            case ".json":
                value = json.loads(file.read_text())
                table = value["atoms"] if isinstance(value, dict) else value
            case ".csv":
                lines = file.read_text().splitlines()
                headed = bool(lines) and lines[0].lstrip().lower().startswith("x")
                table = np.loadtxt(lines[headed:], delimiter=",", ndmin=2)
            case _:
                raise click.BadParameter(
                    f"{file} is neither .npy, .json nor .csv", param_hint="'--atoms'"
                )
    except (OSError, ValueError, KeyError) as error:
        raise click.BadParameter(
            f"{file} cannot be read as rows of x, y, z, energy: {error}", param_hint="'--atoms'"
        ) from error
    return table
