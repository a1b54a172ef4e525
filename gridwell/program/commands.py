"""Shared parts of the commands: JSON on stdout on request, and errors of a service."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from gridwell.engine.errors import ServiceError
from gridwell.engine.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

UNANSWERED: Final = 3  #: the exit status where a service does not answer as it should

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON: an object a line.")


def echo(*lines: str, err: bool = False) -> None:
    """Print lines of text for people, with unprintable characters as escapes.

    Every line that a command prints goes through this function.  Text from the service, its workers
    or a file may hold line ends, escapes that move a terminal's cursor, or marks of direction.
    """
    click.echo("\n".join(map(printable, lines)), err=err)


def echo_error(text: str) -> None:
    """Print an error on stderr; each line after the first has a mark."""
    first, *rest = f"error: {text}".split("\n")
    echo(first, *(f"    | {line}" for line in rest), err=True)


def print_json(fields: Mapping[str, Any]) -> None:
    """Print an object on a line of its own."""
    click.echo(json.dumps(fields, allow_nan=False))


@contextmanager
def answered() -> Iterator[None]:
    """End the program with the error of a service."""
    try:
        yield
    except ServiceError as error:
        echo_error(f"{type(error).__name__}: {error}")
        raise SystemExit(UNANSWERED) from error
