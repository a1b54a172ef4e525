"""`keys`: for operators with access to the ledger."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from gridwell.access.keys import (
    ID_BYTES,
    SECRET_BYTES,
    make_key,
    read_lifetime,
    read_scopes,
)
from gridwell.engine.audit import LONGEST_SUBJECT
from gridwell.engine.errors import InvalidAccess, ServiceError
from gridwell.program.commands import answered, echo, json_option, print_json
from gridwell.program.settings import read_settings
from web_tier.settings import Names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.access.keys import AccessKey
    from gridwell.access.ports import AccessLedger
    from gridwell.engine.ports import Clock

_TRIES = 3  #: of drawing an id that nobody has; the first is as good as sure


@click.group()
def keys() -> None:
    """Make, list and revoke the keys by which clients are known.

    Exit codes: 0 done, 2 wrong usage or settings, 3 AWS did not answer as it should.
    """


@keys.command()
@click.option("--client", required=True, metavar="NAME", help="Whose key it is.")
@click.option("--scopes", default="submit,read", show_default=True, help="What it allows.")
@click.option("--expires", default="90d", show_default=True, metavar="AGE", help="Or: never.")
@json_option
def create(*, client: str, scopes: str, expires: str, as_json: bool) -> None:
    """Make a key and print it: this once, as it is kept nowhere.

    A client may have several: make the next one before the last one expires.
    """
    ledger, clock = chosen_ledger(read_settings(Names))
    with _answered():
        for _ in range(_TRIES):
            text, key = make_key(
                client,
                read_scopes(scopes),
                now=clock.now(),
                lifetime=read_lifetime(expires),
                key_id=secrets.token_bytes(ID_BYTES),
                secret=secrets.token_bytes(SECRET_BYTES),
            )
            # First, so that no key is without its record.
            ledger.audit.note(
                "keys.create",
                subject=key.id,
                now=key.created,
                detail=f"client={client} scopes={','.join(sorted(key.scopes))} expires={expires}",
            )
            if ledger.add_key(key):
                break
        else:
            raise ServiceError("no id was free in three draws; look at the ledger's keys")
    if as_json:
        print_json({"key": text, **_fields(key, clock.now())})
    else:
        echo(text)
        echo(f"{_line(key, clock.now())}; it is not shown again", err=True)


@keys.command("list")
@click.option("--client", metavar="NAME", help="Only this client's.")
@json_option
def list_keys(*, client: str | None, as_json: bool) -> None:
    """List all keys that ever were, the newest first; their secrets are not known."""
    ledger, clock = chosen_ledger(read_settings(Names))
    with _answered():
        for key in ledger.all_keys():
            if client in (None, key.client):
                _show(key, clock.now(), as_json=as_json)


@keys.command()
@click.argument("key_id", metavar="ID")
@json_option
def revoke(*, key_id: str, as_json: bool) -> None:
    """Let a key open nothing any more; servers notice within 30 seconds."""
    ledger, clock = chosen_ledger(read_settings(Names))
    with _answered():
        ledger.audit.note("keys.revoke", subject=key_id[:LONGEST_SUBJECT], now=clock.now())
        key = ledger.revoke_key(key_id, now=clock.now())
    if key is None:
        raise click.BadParameter("there is no key of that id; `list` shows them", param_hint="'ID'")
    _show(key, clock.now(), as_json=as_json)


def chosen_ledger(names: Names) -> tuple[AccessLedger, Clock]:
    """Return the ledger on AWS, and this machine's clock."""
    # boto3 costs half a second, which `--help` and a wrong setting should not.
    from gridwell.adapters.aws.client import client  # noqa: PLC0415
    from gridwell.adapters.dynamodb.access_ledger import DynamoAccessLedger  # noqa: PLC0415
    from gridwell.adapters.system_clock import SERVICE_CLOCK  # noqa: PLC0415

    with _answered():
        return DynamoAccessLedger(client("dynamodb"), names.table), SERVICE_CLOCK


def _show(key: AccessKey, now: float, *, as_json: bool) -> None:
    if as_json:
        print_json(_fields(key, now))
    else:
        echo(_line(key, now))


def _fields(key: AccessKey, now: float) -> dict[str, Any]:
    return {
        "id": key.id,
        "client": key.client,
        "scopes": sorted(key.scopes),
        "state": key.state(now),
        "created": _moment(key.created),
        "expires": None if key.expires is None else _moment(key.expires),
        "revoked": None if key.revoked is None else _moment(key.revoked),
    }


def _line(key: AccessKey, now: float) -> str:
    ends = "never expires" if key.expires is None else f"expires {_moment(key.expires)}"
    return (
        f"{key.id}  {key.state(now):<7}  {','.join(sorted(key.scopes)):<11}  {key.client}  {ends}"
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


@contextmanager
def _answered() -> Iterator[None]:
    """End the program where it cannot be done, with words."""
    try:
        with answered():
            yield
    except InvalidAccess as error:
        raise click.UsageError(str(error)) from error
