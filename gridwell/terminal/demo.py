"""The demo job: submitted, followed, and its answer printed."""

from __future__ import annotations

import time
from typing import Final

from gridwell.client import Client
from gridwell.engine.errors import GridwellError
from gridwell.program.commands import echo, print_json
from gridwell.terminal.exit_status import ExitStatus, tell
from gridwell.terminal.follow_job import follow
from gridwell.terminal.job_text import answer_lines

_PATIENCE_SECONDS: Final = 600.0


def run_demo(
    url: str,
    *,
    grid_size: int = 40,
    atom_count: int = 200,
    seed: int = 1,
    as_json: bool = False,
) -> int:
    """Submit the demo job, show its progress on stderr and its answer on stdout.

    Args:
        url: of the service.
        grid_size: points along each axis.
        atom_count: atoms to draw.
        seed: of that drawing.
        as_json: whether the answer is the job's JSON.

    Returns:
        The exit status; see `ExitStatus`.
    """
    began = time.monotonic()
    try:
        with Client(url) as client:
            job = client.submit(grid_size=grid_size, atom_count=atom_count, seed=seed)
            follow(client, job, timeout=_PATIENCE_SECONDS)
            seconds = time.monotonic() - began
    except GridwellError as error:
        return tell(error)
    if as_json:
        print_json(job.status.fields)
    else:
        echo(*answer_lines(job.status, url=url, seconds=seconds))
    return ExitStatus.DONE
