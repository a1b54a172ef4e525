"""The web tier's commands."""

from __future__ import annotations

import os
import sys
from importlib.resources import files

import click

from gridwell.program.logs import log_to_stderr
from gridwell.program.settings import read_settings
from web_tier.operator.dead_letter_commands import dead_letters
from web_tier.operator.doctor.command import doctor
from web_tier.operator.key_commands import keys
from web_tier.settings import Settings


@click.group()
def main() -> None:
    """The web tier: takes jobs over HTTP, collects results; keys and dead letters."""


main.add_command(dead_letters)
main.add_command(keys)
main.add_command(doctor)


@main.command()
def serve() -> None:
    """Serve HTTP by gunicorn: one process, many threads, until SIGTERM."""
    settings = read_settings(Settings)
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        str(files("web_tier.http_server") / "gunicorn_conf.py"),
        "--bind",
        f"{settings.host}:{settings.port}",
        "--threads",
        str(settings.threads),
    ]
    # Replaces this process, so that whoever started it holds gunicorn's own pid.
    os.execv(sys.executable, command)  # noqa: S606 - no shell on purpose


@main.command()
def collect() -> None:
    """Merge what workers found into the ledger, and look after jobs left behind, until SIGTERM."""
    from web_tier.composition import run_collector  # noqa: PLC0415 - other commands need none of it

    settings = read_settings(Settings)
    log_to_stderr()
    run_collector(settings)
