"""The autoscaler's commands.  Only here are settings read and adapters chosen."""

from __future__ import annotations

import faulthandler
import os
import secrets
import signal
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import click

from autoscaler.daemon import Daemon
from autoscaler.decide.capacity import classify
from autoscaler.decide.decide import decide
from autoscaler.decide.model import Rule
from autoscaler.fleet_view import FleetViewWriter
from autoscaler.observe import ObservedPorts, observe, observed
from autoscaler.observed_ports import OwnClock
from autoscaler.settings import Settings
from gridwell.program.commands import answered, echo, json_option, print_json
from gridwell.program.logs import log_to_stderr
from gridwell.program.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.fleet.model import Control

_STANDARD_ERROR: Final = 2
_HUNG_SECONDS: Final = 600.0  #: longer than a tick lasts in which no service answers

_RULE = click.option(
    "--policy",
    "rule",
    type=click.Choice([rule.value for rule in Rule]),
    default=Rule.DEFAULT.value,
    show_default=True,
    help="How many instances are wanted, and which stopped ones are given up.",
)


@click.group()
def main() -> None:
    """Grow the fleet from the depth of the queue, never past its cap.

    Exit codes: 0 done, 1 a tick hung or did not come about, 2 wrong usage or settings, 3 AWS did
    not answer as it should.
    """


@main.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done and why; change nothing.")
@click.option("--once", is_flag=True, help="One tick, then end.")
@_RULE
def run(*, dry_run: bool, once: bool, rule: str) -> None:
    """Run until SIGTERM or Ctrl-C; stand by while another autoscaler leads.

    With `--once` it waits until another's lease has ended; if that is renewed instead, it ends
    without acting.

    A tick that hangs ends the program with its stack on standard error, so that its supervisor
    restarts it: all its state is in the ledger.
    """
    settings = read_settings(Settings)
    log_to_stderr()
    daemon = Daemon(
        chosen_ports(settings),
        settings.policy(Rule(rule)),
        fleet=settings.fleet,
        owner=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
        tick_seconds=settings.tick_seconds,
        lease_seconds=settings.lease_seconds,
        rehearse=echo if dry_run else None,
    )
    if once:
        plan = daemon.once()
        daemon.end()
        if plan is None:
            raise SystemExit(1)
        return
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: daemon.stop())
    daemon.run(alive=_wind_up)
    faulthandler.cancel_dump_traceback_later()


@main.command()
@_RULE
def explain(rule: str) -> None:
    """Print the present observation, the plan for it and the reason; change nothing.

    A single observation cannot show for how long a machine has been silent: it shows none.
    """
    settings = read_settings(Settings)
    policy = settings.policy(Rule(rule))
    ports = chosen_ports(settings)
    ports = observed(ports, OwnClock(ports.clock))
    with answered():
        last = FleetViewWriter(ports.ledger).last()
        lease = ports.ledger.lease()
    observation = observe(ports, last, policy)
    for problem in observation.problems:
        echo(f"could not be read: {problem}", err=True)
    snapshot = observation.snapshot
    plan = decide(snapshot, policy)
    echo(plan.reason)
    control = snapshot.control
    echo(
        f"policy {policy.rule}, cap {classify(snapshot, policy).cap} of "
        f"{policy.max_instances}, release {snapshot.release or 'none'}"
        f"{', paused' if control.paused else ''}"
    )
    echo(f"lease held by {'nobody' if lease is None else lease.owner}")
    for chosen in plan.start:
        echo(f"start {chosen.instance} in slot {chosen.slot:02d}")
    for slot in plan.launch:
        echo(f"launch in slot {slot:02d}")
    for stop in plan.stop:
        echo(f"stop {stop.instance}{' by force' if stop.force else ''}")
    for name in plan.terminate:
        echo(f"terminate {name}")
    if observation.problems:
        raise SystemExit(1)


@main.command()
@json_option
def pause(*, as_json: bool) -> None:
    """Start and launch nothing, from the next tick on; what is on works and goes home."""
    _switch("pause", lambda control: replace(control, paused=True), as_json=as_json)


@main.command()
@json_option
def resume(*, as_json: bool) -> None:
    """Start and launch again."""
    _switch("resume", lambda control: replace(control, paused=False), as_json=as_json)


@main.command()
@click.argument("instances", metavar="N|off")
@json_option
def cap(*, instances: str, as_json: bool) -> None:
    """Let the fleet have no more than N instances; `off` leaves only the policy's cap."""
    if instances == "off":
        _switch("cap", lambda control: replace(control, cap=None), as_json=as_json)
    elif instances.isascii() and instances.isdigit():
        _switch("cap", lambda control: replace(control, cap=int(instances)), as_json=as_json)
    else:
        raise click.BadParameter(f"{instances!r} is no number of instances; give 0 or more, or off")


def chosen_ports(settings: Settings) -> ObservedPorts:
    """Return the ports on AWS."""
    # boto3 costs half a second, which `--help` and a wrong setting should not.
    from gridwell.adapters.aws.client import client  # noqa: PLC0415
    from gridwell.adapters.aws.ec2 import Ec2Fleet  # noqa: PLC0415
    from gridwell.adapters.aws.sqs import SqsQueue  # noqa: PLC0415
    from gridwell.adapters.dynamodb.fleet_ledger import DynamoFleetLedger  # noqa: PLC0415
    from gridwell.adapters.system_clock import SERVICE_CLOCK  # noqa: PLC0415

    with answered():
        return ObservedPorts(
            ec2=Ec2Fleet(client("ec2"), settings.fleet, settings.template),
            chunks=SqsQueue(client("sqs"), settings.queue),
            ledger=DynamoFleetLedger(client("dynamodb"), settings.table, settings.fleet),
            clock=SERVICE_CLOCK,
        )


def _wind_up() -> None:
    """Restart the watchdog for a tick that hangs, in a thread that needs no interpreter."""
    faulthandler.dump_traceback_later(_HUNG_SECONDS, exit=True, file=_STANDARD_ERROR)


def _switch(name: str, turn: Callable[[Control], Control], *, as_json: bool) -> None:
    settings = read_settings(Settings)
    ports = chosen_ports(settings)
    with answered():
        control = turn(ports.ledger.control())
        # First, so that no act is without its record: one that is cut off has one too many.
        ports.ledger.audit.note(
            f"fleet.{name}",
            subject=settings.fleet,
            now=ports.clock.now(),
            detail=f"paused={control.paused} cap={control.cap}",
        )
        ports.ledger.write_control(control)
    if as_json:
        print_json({"paused": control.paused, "cap": control.cap})
        return
    limit = "the policy's cap" if control.cap is None else f"at most {control.cap} instances"
    echo(f"{'paused' if control.paused else 'running'}, {limit}")
