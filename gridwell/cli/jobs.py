"""Commands about jobs that exist."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gridwell.cli.options import (
    POINT_FILES,
    client_at,
    of_a_map,
    of_points,
    timeout_option,
    url_option,
)
from gridwell.cli.output import print_job
from gridwell.client import JobFailed, NoSuchJob
from gridwell.engine.errors import WrongState
from gridwell.program.commands import echo, json_option, print_json
from gridwell.terminal import ExitStatus, follow, job_line, tell, told_of_interruption

if TYPE_CHECKING:
    from gridwell.client import Job


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option("--wait", is_flag=True, help="Wait until the job has ended.")
@click.option(
    "--grid",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=of_a_map,
    metavar="FILE",
    help="Store the map that it kept: .dx, .cube or .npz.",
)
@click.option(
    "--points",
    "points_file",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=of_points,
    metavar="FILE",
    help="Store the points that it found: .csv, or .pdb of ions.",
)
@timeout_option
@json_option
@url_option
def result(
    *,
    job_id: str,
    wait: bool,
    file: Path | None,
    points_file: Path | None,
    timeout: float | None,
    as_json: bool,
    url: str,
) -> None:
    """Print what a job found, or how far it is."""
    with client_at(url) as client:
        job = client.job(job_id)
        if wait:
            # A failure is told below, after its JSON.
            with told_of_interruption(job), contextlib.suppress(JobFailed):
                job.wait(timeout)
        print_job(client, job, as_json=as_json)
        if file is not None:
            _store(job, f"grid{file.suffix}", file)
        if points_file is not None:
            _store(job, POINT_FILES[points_file.suffix], points_file)


def _store(job: Job[Any], name: str, file: Path) -> None:
    """Store a file of the job."""
    try:
        job.download(name, file)
    except OSError as error:
        raise click.FileError(str(file), error.strerror) from error


@click.command()
@click.argument("job_id", metavar="JOB")
@timeout_option
@json_option
@url_option
def watch(*, job_id: str, timeout: float | None, as_json: bool, url: str) -> None:
    """Show a job's progress until it has ended, then its answer."""
    with client_at(url) as client:
        job = client.job(job_id)
        with contextlib.suppress(JobFailed):  # as above
            follow(client, job, timeout=timeout)
        print_job(client, job, as_json=as_json)


@click.command()
@click.argument("job_ids", metavar="JOB...", nargs=-1, required=True)
@json_option
@url_option
def cancel(*, job_ids: tuple[str, ...], as_json: bool, url: str) -> None:
    """Cancel jobs that have not ended, for everybody who waits for them.

    One that cannot be cancelled does not keep the others from it.
    """
    status = ExitStatus.DONE
    with client_at(url) as client:
        for job_id in job_ids:
            try:
                cancelled = client.job(job_id).cancel()
            except (NoSuchJob, WrongState) as error:
                told = tell(error)
                status = status or told  # the first trouble's
                continue
            if as_json:
                print_json(cancelled.fields)
            else:
                echo(job_line(cancelled))
    click.get_current_context().exit(status)


@click.command()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@json_option
@url_option
def jobs(*, limit: int, as_json: bool, url: str) -> None:
    """List jobs, the newest first."""
    with client_at(url) as client:
        for job in client.jobs(limit):
            if as_json:
                print_json(job.status.fields)
            else:
                echo(job_line(job.status))
