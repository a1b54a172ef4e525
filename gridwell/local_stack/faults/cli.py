"""`gridwell local faults`: show and plan the faults of a local stack."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from gridwell.engine.errors import GridwellError
from gridwell.local_stack.faults.kinds import KINDS
from gridwell.local_stack.private_folder import real_path
from gridwell.local_stack.state import StateFolder, state_option
from gridwell.program.commands import echo, json_option, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gridwell.local_stack.faults.client import RemoteFaults


@click.group(invoke_without_command=True)
@state_option
@json_option
@click.pass_context
def faults(context: click.Context, *, state: Path, as_json: bool) -> None:
    """Show how often each kind of fault has happened, or change what is planned."""
    context.obj = state
    if context.invoked_subcommand is not None:
        return
    with _remote(state) as remote:
        report = remote.report()
    if as_json:
        print_json(report)
        return
    for line in _lines(report):
        echo(line)


@faults.command()
@click.argument("name")
@click.option("--seed", type=click.IntRange(min=0), help="In the place of the plan's own.")
@json_option
@click.pass_obj
def plan(state: Path, *, name: str, seed: int | None, as_json: bool) -> None:
    """Follow another plan: mild, wild, none, or a JSON file; all counts begin at 0."""
    from gridwell.local_stack.faults.presets import find_plan  # noqa: PLC0415 - it reads botocore

    with _remote(state) as remote:
        found = find_plan(name, seed=seed)
        remote.put(found)
        report = remote.report()
    if as_json:
        print_json(report)
    else:
        echo(f"{len(found.faults)} faults are planned, seed {found.seed}", err=True)


@faults.command()
@click.argument("seconds", type=click.FloatRange(min=0))
@json_option
@click.pass_obj
def away(state: Path, *, seconds: float, as_json: bool) -> None:
    """Let the region serve no call for so many seconds; 0 ends it at once."""
    with _remote(state) as remote:
        remote.away(seconds)
    if as_json:
        print_json({"away_seconds": seconds})


@faults.command()
@click.argument("queue")
@json_option
@click.pass_obj
def empty(state: Path, *, queue: str, as_json: bool) -> None:
    """Lose every message of a queue, like gridwell-chunks."""
    with _remote(state) as remote:
        lost = remote.empty(queue)
    if as_json:
        print_json({"queue": queue, "lost": lost})
    else:
        echo(f"{lost} messages of {queue} are lost", err=True)


@faults.command()
@click.argument("queue")
@json_option
@click.pass_obj
def duplicate(state: Path, *, queue: str, as_json: bool) -> None:
    """Let every message of a queue be there twice."""
    with _remote(state) as remote:
        doubled = remote.duplicate(queue)
    if as_json:
        print_json({"queue": queue, "doubled": doubled})
    else:
        echo(f"{doubled} messages of {queue} are there twice", err=True)


@contextmanager
def _remote(state: Path) -> Iterator[RemoteFaults]:
    """Connect to the running stack's faults; errors end the command with a message on stderr."""
    from gridwell.local_stack.faults.client import RemoteFaults  # noqa: PLC0415 - it reads botocore

    try:
        running = StateFolder(real_path(state)).running()
        if running is None:
            raise click.ClickException(
                f"nothing runs in {state}; start it with `gridwell local up --faults none`"
            )
        yield RemoteFaults(running.endpoint, access_key=running.access_key)
    except GridwellError as error:
        raise click.ClickException(str(error)) from error


def _lines(report: dict[str, Any]) -> Iterator[str]:
    planned = report["plan"]["faults"]
    yield f"{len(planned)} faults are planned, seed {report['plan']['seed']}"
    if report["away_seconds"]:
        yield f"the region is away for {report['away_seconds']:.1f} s more"
    for kind in dict.fromkeys(fault["kind"] for fault in planned):
        yield f"{report['injected'].get(kind, 0):8}  {kind}: {KINDS[kind].does}"
