"""`audit`: what operators did by commands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from gridwell.access.quota import day_of
from gridwell.engine.audit import KEPT_DAYS
from gridwell.program.commands import answered, echo, json_option, print_json
from gridwell.program.settings import read_settings
from web_tier.operator import key_commands
from web_tier.settings import Names

if TYPE_CHECKING:
    from gridwell.engine.audit import Act


@click.command()
@click.option(
    "--days",
    type=click.IntRange(1, KEPT_DAYS),
    default=30,
    show_default=True,
    help="Look so many days back, today among them.",
)
@json_option
def audit(*, days: int, as_json: bool) -> None:
    """List what operators did: to keys, to the fleet, and to dead letters.

    The newest first, for 400 days.

    Exit codes: 0 done, 2 wrong usage or settings, 3 AWS did not answer as it should.
    """
    ledger, clock = key_commands.chosen_ledger(read_settings(Names))
    today = day_of(clock.now())
    with answered():
        acts = ledger.audit.acts(first_day=today - days + 1, last_day=today)
    for act in acts:
        if as_json:
            print_json(
                {
                    "at": _moment(act),
                    "operator": act.operator,
                    "action": act.action,
                    "subject": act.subject,
                    "detail": act.detail,
                }
            )
        else:
            echo(f"{_moment(act)}  {act.action:<20}  {act.subject}  {act.detail}  {act.operator}")


def _moment(act: Act) -> str:
    return datetime.fromtimestamp(act.at, UTC).isoformat(timespec="seconds")
