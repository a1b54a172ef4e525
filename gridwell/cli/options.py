"""Options that several commands share."""

from __future__ import annotations

import click

from gridwell.client import Client

DEFAULT_URL = "http://127.0.0.1:8080"

url_option = click.option(
    "--url",
    envvar="GRIDWELL_URL",
    default=DEFAULT_URL,
    show_default=True,
    show_envvar=True,
    help="Where the service is.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the service's JSON.")
timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait no longer for the job; without it, for as long as it takes.",
)


def client_at(url: str) -> Client:
    """The client of a service; a URL that is none is wrong usage."""
    try:
        return Client(url)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--url'") from error
