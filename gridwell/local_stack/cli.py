"""`gridwell local`: everything on one machine, without an AWS account."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import click

from gridwell.engine.errors import GridwellError, ServiceError
from gridwell.local_stack.faults.cli import faults as faults_group
from gridwell.local_stack.private_folder import make_private, real_path
from gridwell.local_stack.program_environment import ROOT, python
from gridwell.local_stack.state import StateFolder, state_option
from gridwell.program.commands import echo, json_option, print_json
from gridwell.program.logs import warn_on_stderr
from gridwell.program.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from gridwell.local_stack.faults.plan import FaultPlan
    from gridwell.local_stack.state import Running
    from gridwell.local_stack.up import LocalStack

_LOOK_SECONDS = 0.2
_INTERRUPTED = 130
_DETACH_SECONDS = 300.0
_DOWN_SECONDS = 90.0


class _Setting(click.ParamType[tuple[str, str]]):
    """A setting of the programs."""

    name = "NAME=VALUE"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        name, equals, setting = value.partition("=")
        if not equals or not name.startswith(PREFIX):
            self.fail(f"{value!r} is not {PREFIX}NAME=VALUE", param, ctx)
        return name, setting


@click.group("local")
def local() -> None:
    """Run everything on this machine: no account, nothing listens beyond 127.0.0.1."""


local.add_command(faults_group)


@local.command()
@state_option
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    default=8080,
    show_default=True,
    help="Of the web tier.",
)
@click.option(
    "--max-instances",
    type=click.IntRange(0),
    default=4,
    show_default=True,
    help="The fleet's cap.",
)
@click.option(
    "--set",
    "settings",
    type=_Setting(),
    multiple=True,
    help="A setting of the programs, as GRIDWELL_TICK_SECONDS=10; may be given again.",
)
@click.option("--demo", is_flag=True, help="Submit the demo job and show its progress.")
@click.option("--once", is_flag=True, help="With --demo: end after the answer.")
@click.option(
    "--detach", is_flag=True, help="Return when all is up; `gridwell local down` ends it."
)
@click.option(
    "--faults",
    metavar="NAME",
    help="What shall go wrong: mild, wild, none (nothing yet), or a plan's JSON file.",
)
@click.option("--faults-seed", type=click.IntRange(min=0), help="In the place of the plan's own.")
@json_option
def up(
    *,
    state: Path,
    port: int,
    max_instances: int,
    settings: tuple[tuple[str, str], ...],
    demo: bool,
    once: bool,
    detach: bool,
    as_json: bool,
    **planned: Any,
) -> None:
    """Start the region, bake the image, start the tiers; stay until Ctrl-C.

    A program that dies is started again; if the region dies, all has ended.

    With --json it prints where everything is once it is up, and the demo's job once it is done.

    Exit codes: 0 ended as asked, 1 something could not start or died, 2 wrong usage, 130
    interrupted while it started. With --once those of the demo: see `gridwell --help`.
    """
    folder = _folder(state)
    if once and not demo:
        raise click.UsageError("--once goes with --demo")
    if detach:
        if demo:
            raise click.UsageError("--detach does not go with --demo")
        more = [f"--set={name}={value}" for name, value in settings]
        more += [
            f"--{name.replace('_', '-')}={value}"
            for name, value in planned.items()
            if value is not None
        ]
        try:
            running = _detach(folder, f"--port={port}", f"--max-instances={max_instances}", *more)
        except ServiceError as error:
            raise click.ClickException(str(error)) from error
        if as_json:
            print_json(_whereabouts(running, folder))
        return
    try:
        plan = _plan(**planned)
        with folder.held():
            # Imported here: `down` and `--help` need neither boto3 nor the client.
            from gridwell.local_stack.up import LocalStack  # noqa: PLC0415

            stack = LocalStack(
                state=folder,
                port=port,
                max_instances=max_instances,
                report=_reporter(),
                faults=plan,
                given=dict(settings),
            )
            status = _stay(stack, demo=demo, once=once, as_json=as_json)
    except GridwellError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(status)


def _plan(*, faults: str | None, faults_seed: int | None) -> FaultPlan | None:
    """Return the plan that the options mean."""
    if faults is None:
        if faults_seed is not None:
            raise click.UsageError("--faults-seed goes with --faults")
        return None
    from gridwell.local_stack.faults.presets import find_plan  # noqa: PLC0415 - it reads botocore

    return find_plan(faults, seed=faults_seed)


@local.command()
@state_option
@json_option
def down(*, state: Path, as_json: bool) -> None:
    """End the stack that runs in a folder; its images stay for the next time."""
    try:
        ended = _folder(state).end_holder(seconds=_DOWN_SECONDS)
    except ServiceError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        print_json({"ended": ended, "state": str(state.resolve())})
    else:
        echo("ended" if ended else f"nothing runs in {state}", err=True)


@local.command()
@state_option
@json_option
def env(*, state: Path, as_json: bool) -> None:
    """Print what lets other commands reach the stack: eval "$(gridwell local env)".

    The region's access key is among it: keep it out of logs and command lines.
    """
    try:
        running = _folder(state).running()
    except ServiceError as error:
        raise click.ClickException(str(error)) from error
    if running is None:
        raise click.ClickException(f"nothing runs in {state}; start it with `gridwell local up`")
    variables = dict(sorted((running.environment | {"GRIDWELL_URL": running.url}).items()))
    if as_json:
        print_json(variables)
        return
    for name, value in variables.items():
        echo(f"export {name}={shlex.quote(value)}")


def _folder(state: Path) -> StateFolder:
    """Return the folder that an option names."""
    try:
        return StateFolder(real_path(state))
    except ServiceError as error:
        raise click.ClickException(str(error)) from error


def _whereabouts(running: Running, folder: StateFolder) -> dict[str, str]:
    """Return the addresses of the stack and its folder, for programs."""
    return {"url": running.url, "endpoint": running.endpoint, "state": str(folder.path)}


def _reporter() -> Callable[[str], None]:
    """Return a function that prints a sentence with the time since now."""
    began = time.monotonic()

    def report(sentence: str) -> None:
        echo(f"[{time.monotonic() - began:5.1f} s] {sentence}", err=True)

    return report


def _stay(stack: LocalStack, *, demo: bool, once: bool, as_json: bool) -> int:
    """Run the stack until a signal, or until the end of a demo that runs once."""
    warn_on_stderr()
    _interrupt_at(signal.SIGINT, signal.SIGTERM)
    try:
        running = stack.up()
        if as_json:
            print_json(_whereabouts(running, stack.state))
        shown = _Demo(running.url, as_json=as_json) if demo else None
        if not once:
            stack.report(f"open {running.url} in a browser; Ctrl-C ends everything")
        return _serve(stack, shown, once=once)
    except KeyboardInterrupt:
        # Once all is up a signal is how it is meant to end, also before `_serve` has begun.
        return _INTERRUPTED if stack.state.running() is None else 0
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # ending must come to its end
        stack.report("ending everything")
        stack.down()


def _serve(stack: LocalStack, shown: _Demo | None, *, once: bool) -> int:
    """Look after the stack until a signal, which is how it is meant to end."""
    try:
        while not (once and shown is not None and shown.status is not None):
            stack.look_after()
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        pass
    return (shown.status or 0) if shown is not None else 0


class _Demo:
    """The demo in a thread of its own: the main thread must be free to start programs again."""

    def __init__(self, url: str, *, as_json: bool) -> None:
        self._url = url
        self._as_json = as_json
        self.status: int | None = None
        threading.Thread(target=self._show, daemon=True).start()

    def _show(self) -> None:
        from gridwell.terminal import run_demo  # noqa: PLC0415

        status = 1
        try:
            status = run_demo(self._url, as_json=self._as_json)
        finally:
            self.status = status


def _interrupt_at(*numbers: signal.Signals) -> None:
    """Let signals end whatever the main thread waits for."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, interrupt)


def _detach(folder: StateFolder, *arguments: str) -> Running:
    """Start `up` in a session of its own, and wait until it says that all is up."""
    make_private(folder.path)
    folder.logs.mkdir(exist_ok=True)
    log = folder.logs / "up.log"
    command = python("gridwell", "local", "up", f"--state={folder.path}", *arguments)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    deadline = time.monotonic() + _DETACH_SECONDS
    while (running := folder.running()) is None or folder.holder() != process.pid:
        if process.poll() is not None:
            raise click.ClickException(log.read_text(errors="replace").strip())
        if time.monotonic() > deadline:
            process.terminate()
            raise click.ClickException(f"not up after {_DETACH_SECONDS:g} s; look at {log}")
        time.sleep(_LOOK_SECONDS)
    echo(f"up: {running.url} (end it with `gridwell local down`)", err=True)
    return running
