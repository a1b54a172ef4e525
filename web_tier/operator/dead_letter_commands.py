"""`dead-letters`: commands for operators with access to the queues and the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gridwell.engine.audit import LONGEST_SUBJECT
from gridwell.program.commands import answered, echo, json_option, print_json
from gridwell.program.settings import read_settings
from web_tier.settings import Names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_tier.operator.dead_letter_list import DeadLetter, DeadLetterList

_KINDS = ("chunks", "results")
_limit = click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="The most dead letters to read.",
)


@click.group("dead-letters")
def dead_letters() -> None:
    """List messages that were received too often, and send them again.

    Exit codes: 0 done, 1 the queue refused a message, 2 wrong usage or settings, 3 AWS did not
    answer as it should.
    """


@dead_letters.command("list")
@json_option
@_limit
def list_letters(*, as_json: bool, limit: int) -> None:
    """List the dead letters of both queues with job, age and reason.

    They are leased while they are read, so another reader gets them a moment later.
    """
    with answered(), _letters().held(limit) as letters:
        for letter in letters:
            if as_json:
                print_json(letter.fields())
            else:
                echo(letter.line())
        _note_more(len(letters), limit)


@dead_letters.command()
@click.option("--job", metavar="ID", help="Only the dead letters of this job.")
@click.option("--all", "every", is_flag=True, help="All, also those that are not readable.")
@json_option
@_limit
def redrive(*, job: str | None, every: bool, as_json: bool, limit: int) -> None:
    """Send dead letters to the queue they came from."""
    if (job is None) is not every:
        raise click.UsageError("say which letters: --job ID or --all")
    with answered():
        letters = _letters()
        with letters.held(limit) as held:
            chosen = [letter for letter in held if every or letter.job == job]
            # First, so that no letter is sent without its record.
            letters.ledger.audit.note(
                "dead-letters.redrive",
                subject="all" if job is None else job[:LONGEST_SUBJECT],
                now=letters.clock.now(),
                detail=" ".join(f"{kind}={_count(chosen, kind)}" for kind in _KINDS),
            )
            refused = letters.redrive(chosen)
            sent = [letter for letter in chosen if letter not in refused]
            if as_json:
                counts = {kind: _count(sent, kind) for kind in _KINDS}
                print_json({**counts, "refused": len(refused)})
            else:
                for kind in _KINDS:
                    echo(f"{_count(sent, kind)} dead {kind} sent again")
            _note_more(len(held), limit)
    if refused:
        echo(f"the queue refused {len(refused)} letters, which stay", err=True)
        raise SystemExit(1)


def chosen_letters(names: Names) -> DeadLetterList:
    """Return the dead letters on AWS."""
    # boto3 costs half a second, which `--help` and a wrong setting should not.
    from gridwell.adapters.aws.client import client  # noqa: PLC0415
    from gridwell.adapters.aws.sqs import SqsQueue  # noqa: PLC0415
    from gridwell.adapters.dynamodb.job_ledger import DynamoJobLedger  # noqa: PLC0415
    from gridwell.adapters.system_clock import SERVICE_CLOCK  # noqa: PLC0415
    from web_tier.operator.dead_letter_list import DeadLetterList  # noqa: PLC0415

    sqs = client("sqs")
    return DeadLetterList(
        ledger=DynamoJobLedger(client("dynamodb"), names.table),
        dead={kind: SqsQueue(sqs, names.queue(f"dead_{kind}")) for kind in _KINDS},
        living={kind: SqsQueue(sqs, names.queue(kind)) for kind in _KINDS},
        clock=SERVICE_CLOCK,
    )


def _letters() -> DeadLetterList:
    return chosen_letters(read_settings(Names))


def _count(letters: Sequence[DeadLetter], kind: str) -> int:
    return sum(letter.kind == kind for letter in letters)


def _note_more(seen: int, limit: int) -> None:
    if seen == limit:
        echo(f"there may be more than {limit}; --limit looks at more", err=True)
