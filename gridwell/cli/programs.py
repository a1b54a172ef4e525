"""Commands that are other programs' public ones: they are run, never imported."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final, NoReturn

import click

#: Where the packages lie: a checkout that is not installed finds its programs too.
_ROOT = Path(__file__).resolve().parents[2]
_PASSED_ON: Final = {"ignore_unknown_options": True, "allow_interspersed_args": False}
_arguments = click.argument("arguments", nargs=-1, type=click.UNPROCESSED)


@click.command(add_help_option=False, context_settings=_PASSED_ON)
@_arguments
def load(arguments: tuple[str, ...]) -> None:
    """Send many jobs at once, verify every answer, report (--help tells more)."""
    _become("workload_generator", *arguments)


@click.command(add_help_option=False, context_settings=_PASSED_ON)
@_arguments
def pause(arguments: tuple[str, ...]) -> None:
    """Start and launch no instances from now on."""
    _become("autoscaler", "pause", *arguments)


@click.command(add_help_option=False, context_settings=_PASSED_ON)
@_arguments
def resume(arguments: tuple[str, ...]) -> None:
    """Start and launch instances again."""
    _become("autoscaler", "resume", *arguments)


@click.command(add_help_option=False, context_settings=_PASSED_ON)
@_arguments
def cap(arguments: tuple[str, ...]) -> None:
    """Let the fleet have no more than N instances, or `off`."""
    _become("autoscaler", "cap", *arguments)


@click.command(add_help_option=False, context_settings=_PASSED_ON)
@_arguments
def dead_letters(arguments: tuple[str, ...]) -> None:
    """List messages that were received too often, or send them again (--help tells more)."""
    _become("web_tier", "dead-letters", *arguments)


@click.command(add_help_option=False, context_settings=_PASSED_ON)
@_arguments
def keys(arguments: tuple[str, ...]) -> None:
    """Make, list and revoke the keys by which clients are known."""
    _become("web_tier", "keys", *arguments)


@click.command(add_help_option=False, context_settings=_PASSED_ON)
@_arguments
def doctor(arguments: tuple[str, ...]) -> None:
    """Look at everything once, and say what to do (--help tells more)."""
    _become("web_tier", "doctor", *arguments)


def _become(module: str, *arguments: str) -> NoReturn:
    """Run a program in this process's place: it gets our signals, and its status is ours."""
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    sys.stdout.flush()
    sys.stderr.flush()
    command = [sys.executable, "-P", "-m", module, *arguments]
    os.execve(sys.executable, command, environment)  # noqa: S606 - no shell on purpose
