"""The workload generator's command."""

from __future__ import annotations

import json
import logging
import os
import secrets
import sys
import time
from typing import Any, Final, NoReturn

import click

from gridwell.engine.errors import GridwellError
from gridwell.kinds.grid import limits
from gridwell.program.commands import echo
from gridwell.program.logs import warn_on_stderr
from workload_generator.largest_fleet import LargestFleet
from workload_generator.report import make_report, succeeded, table
from workload_generator.requests import Energies, Mix
from workload_generator.run import run
from workload_generator.service import ServiceClient
from workload_generator.verdicts import judge_all

_KEY_VARIABLE: Final = "GRIDWELL_KEY"  #: no option: others may read command lines
_UNREACHABLE: Final = 3
_INTERRUPTED: Final = 130
_MIN_SIZE: Final = 2  #: all atoms of a single point's box would sit on it
_MAX_SIZE: Final = 1290  #: its cube is below `limits.MAX_POINTS`
_MAX_PAIRS: Final = 4_000_000_000  #: of one request: verified in half a minute
_OFFSETS: Final = 2**40


class _Numbers(click.ParamType[tuple[int, ...]]):
    """Whole numbers between commas."""

    name = "N,N,…"

    def __init__(self, low: int, high: int) -> None:
        self._low = low
        self._high = high

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        numbers = []
        for text in str(value).split(","):
            word = text.strip()
            known = word.isascii() and word.isdigit() and len(word) <= len(str(self._high))
            if not known or not self._low <= int(word) <= self._high:
                self.fail(
                    f"{word[:20]!r} is not a whole number from {self._low} to {self._high}; "
                    "put commas between several",
                    param,
                    ctx,
                )
            numbers.append(int(word))
        return tuple(numbers)


@click.command()
@click.option(
    "--url",
    envvar="GRIDWELL_URL",
    default="http://127.0.0.1:8080",
    show_default=True,
    show_envvar=True,
    help="Where the service is.",
)
@click.option("--requests", type=click.IntRange(1), default=100, show_default=True)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1000),
    default=32,
    show_default=True,
    help="Requests under way at a time.",
)
@click.option(
    "--grid-size",
    "grid_sizes",
    type=_Numbers(_MIN_SIZE, _MAX_SIZE),
    default="4,8,12,16",
    show_default=True,
    help="Points along each axis, drawn from these.",
)
@click.option(
    "--atoms",
    "atom_counts",
    type=_Numbers(1, limits.MAX_ATOMS),
    default="20,50,100,500,1000",
    show_default=True,
    help="Atoms of a request, drawn from these.",
)
@click.option(
    "--energies",
    type=click.Choice([energies.value for energies in Energies]),
    default=Energies.SIGNED.value,
    show_default=True,
)
@click.option(
    "--repeat-fraction",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of the requests that repeat an earlier one of the run.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, limits.MAX_SEED),
    default=1,
    show_default=True,
    help="Names the stream of requests.",
)
@click.option(
    "--offset",
    type=click.IntRange(0, limits.MAX_SEED),
    help="Where in the stream to begin, to repeat a run; else a fresh place, which is printed.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=300.0,
    show_default=True,
    help="Seconds that one request may take.",
)
@click.option(
    "--json",
    "json_file",
    type=click.File("w", encoding="utf-8", lazy=False),
    is_flag=False,
    flag_value="-",
    metavar="[FILE]",
    help="Print the report as JSON, instead of the table; with a file write it there too.",
)
def main(
    *,
    url: str,
    requests: int,
    concurrency: int,
    timeout: float,
    json_file: Any,
    **drawn: Any,
) -> None:
    """Post many jobs at once, wait for their answers, and verify every one.

    Each answer is compared to the last bit with a brute-force computation that shares no code
    with the service. One request in ten leaves the drawing of its atoms to the service and
    downloads them; the others bring their own.

    Exit codes: 0 every answer is right, 1 an answer is wrong, missing or failed, 2 wrong usage,
    3 the service cannot be reached, 130 interrupted.
    """
    warn_on_stderr()
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # each retry; what fails is reported
    mix = _mix(**drawn)
    echo(f"{requests} requests from --seed {mix.seed} --offset {mix.offset}", err=True)
    try:
        report = _report(
            url, mix, requests=requests, concurrency=min(concurrency, requests), timeout=timeout
        )
    except KeyboardInterrupt:
        echo("interrupted; nothing is verified", err=True)
        raise SystemExit(_INTERRUPTED) from None
    if json_file is not None:
        json_file.write(json.dumps(report, allow_nan=False) + "\n")
    if json_file is not sys.stdout:
        echo(*table(report).split("\n"))
    if not succeeded(report):
        raise SystemExit(1)


def _mix(*, energies: str, offset: int | None, **drawn: Any) -> Mix:
    mix = Mix(
        energies=Energies(energies),
        offset=secrets.randbelow(_OFFSETS) if offset is None else offset,
        **drawn,
    )
    pairs = max(mix.grid_sizes) ** 3 * max(mix.atom_counts)
    if pairs > _MAX_PAIRS:
        raise click.UsageError(
            f"a grid of {max(mix.grid_sizes)} with {max(mix.atom_counts)} atoms has {pairs} pairs "
            f"and is verified by brute force, which ends at {_MAX_PAIRS}; give a smaller "
            "--grid-size or fewer --atoms"
        )
    return mix


def _report(
    url: str, mix: Mix, *, requests: int, concurrency: int, timeout: float
) -> dict[str, Any]:
    # Imported here: --help needs no bar.
    from rich.console import Console  # noqa: PLC0415

    from gridwell.terminal.fleet_watch import watching_fleet  # noqa: PLC0415
    from gridwell.terminal.progress_bar import counting  # noqa: PLC0415

    _check(url)
    console, largest = Console(stderr=True), LargestFleet()
    with _service(url) as service:
        with (
            # It has a look to spare, and must not hold up the end of the run with tries.
            _service(url, tries=0) as glancing,
            watching_fleet(glancing.fleet, largest.see),
            counting("answered", requests, console) as step,
        ):
            done = run(
                service,
                mix,
                requests=requests,
                concurrency=concurrency,
                timeout=timeout,
                on_outcome=step,
            )
        started = time.monotonic()
        with counting("verified", requests, console) as step:
            verdicts = judge_all(
                done.outcomes, service, threads=os.cpu_count() or 1, on_verdict=step
            )
    return make_report(
        mix,
        verdicts,
        concurrency=concurrency,
        seconds=done.seconds,
        verification_seconds=time.monotonic() - started,
        largest_fleet=largest.size,
    )


def _service(url: str, *, tries: int = 30) -> ServiceClient:
    """Return the service, with the key of the environment, if there is one."""
    try:
        return ServiceClient(url, key=os.environ.get(_KEY_VARIABLE) or None, tries=tries)
    except ValueError as error:
        raise click.UsageError(f"{_KEY_VARIABLE}: {error}") from error


def _check(url: str) -> None:
    """Return if the service answers, so that a wrong address is reported before all the tries."""
    try:
        with _service(url, tries=2) as service:
            service.check()
    except GridwellError as error:
        _unreachable(url, error)


def _unreachable(url: str, error: GridwellError) -> NoReturn:
    echo(
        f"{url} cannot be reached; start the service with `make up`, or give --url: {error}",
        err=True,
    )
    raise SystemExit(_UNREACHABLE) from error
