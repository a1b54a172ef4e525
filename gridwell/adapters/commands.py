"""What all commands do alike: JSON on stdout if it is asked for, and the words of a service."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from gridwell.domain.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

UNANSWERED: Final = 3  #: the exit status where a service does not answer as it should

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON: an object a line.")


def print_json(fields: Mapping[str, Any]) -> None:
    """Print an object on a line of its own."""
    click.echo(json.dumps(fields, allow_nan=False))


@contextmanager
def answered() -> Iterator[None]:
    """End the program with a service's words where it does not answer as it should."""
    try:
        yield
    except ServiceError as error:
        click.echo(f"error: {type(error).__name__}: {error}", err=True)
        raise SystemExit(UNANSWERED) from error
