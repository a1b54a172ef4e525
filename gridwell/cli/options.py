"""Options that several commands share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

from gridwell.client import Client
from gridwell.client.client import DEFAULT_URL, KEY_VARIABLE, URL_VARIABLE
from gridwell.kinds.grid.formats import MAP_FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MAP_SUFFIXES: Final = tuple(f".{form}" for form in MAP_FORMATS)
POINT_FILES: Final = {".csv": "points.csv", ".pdb": "ions.pdb"}  #: the job's, by suffix

url_option = click.option(
    "--url",
    envvar=URL_VARIABLE,
    default=DEFAULT_URL,
    show_default=True,
    show_envvar=True,
    help="Where the service is.",
)
timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait no longer for the job; without it, for as long as it takes.",
)


def of_a_map(_: click.Context, __: click.Parameter, file: Path | None) -> Path | None:
    """A file whose name says in which format a map goes there."""
    return _ending_in(_MAP_SUFFIXES, file)


def of_points(_: click.Context, __: click.Parameter, file: Path | None) -> Path | None:
    """A file whose name says in which format points go there."""
    return _ending_in(POINT_FILES, file)


def _ending_in(suffixes: Iterable[str], file: Path | None) -> Path | None:
    if file is not None and file.suffix not in suffixes:
        raise click.BadParameter(f"{file} does not end in {', '.join(suffixes)}")
    return file


def client_at(url: str) -> Client:
    """The client of a service, with the key of the environment, if there is one.

    There is no option for the key: others on this machine may read command lines.
    """
    try:
        return Client(url, key=os.environ.get(KEY_VARIABLE) or None)
    except ValueError as error:
        raise click.UsageError(f"--url or {KEY_VARIABLE}: {error}") from error
