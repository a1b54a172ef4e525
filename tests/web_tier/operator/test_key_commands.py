"""`python -m web_tier keys`, on a ledger in memory."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from gridwell.access.keys import PresentedKey, Scope, is_key
from gridwell.adapters.memory import ManualClock, MemoryAccessLedger
from gridwell.engine.errors import ServiceDenied
from web_tier.cli import main
from web_tier.operator import key_commands
from web_tier.operator.audit_commands import audit


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> MemoryAccessLedger:
    made = MemoryAccessLedger()
    monkeypatch.setattr(key_commands, "chosen_ledger", lambda _names: (made, clock))
    return made


def call(*words: str) -> Result:
    return CliRunner().invoke(main, ["keys", *words])


def create(*words: str) -> PresentedKey:
    done = call("create", *words)
    assert done.exit_code == 0, done.output
    presented = PresentedKey.parse(done.stdout.strip())
    assert presented is not None
    return presented


def test_a_new_key_is_all_that_stdout_has_and_opens_what_was_asked(
    ledger: MemoryAccessLedger, clock: ManualClock
) -> None:
    presented = create("--client", "alice", "--scopes", "read", "--expires", "2d")

    stored = ledger.key(presented.id)
    assert stored is not None
    assert is_key(presented, stored)
    assert stored.client == "alice"
    assert stored.scopes == {Scope.READ}
    assert stored.expires == clock.now() + 2 * 86_400


def test_keys_expire_in_ninety_days_unless_they_never_shall(
    ledger: MemoryAccessLedger, clock: ManualClock
) -> None:
    usual = ledger.key(create("--client", "alice").id)
    lasting = ledger.key(create("--client", "alice", "--expires", "never").id)

    assert usual is not None
    assert lasting is not None
    assert usual.expires == clock.now() + 90 * 86_400
    assert lasting.expires is None
    assert usual.id != lasting.id  # a client may change from one to the next


def test_json_tells_the_key_once_and_lists_never_do(ledger: MemoryAccessLedger) -> None:
    made = json.loads(call("create", "--client", "alice", "--json").stdout)

    listed = [json.loads(line) for line in call("list", "--json").stdout.splitlines()]

    assert made.pop("key").startswith(f"gw_{made['id']}_")
    assert listed == [made]
    assert made["client"] == "alice"
    assert made["scopes"] == ["read", "submit"]
    assert (made["state"], made["revoked"]) == ("active", None)
    assert made["expires"].endswith("+00:00")


def test_lists_show_each_keys_state_the_newest_first_and_one_clients_if_asked(
    ledger: MemoryAccessLedger, clock: ManualClock
) -> None:
    old = create("--client", "alice", "--expires", "1h")
    clock.sleep(3600)
    gone = create("--client", "bob")
    call("revoke", gone.id)
    clock.sleep(1)
    new = create("--client", "alice")

    lines = [line.split()[:2] for line in call("list").stdout.splitlines()]
    hers = [line.split()[0] for line in call("list", "--client", "alice").stdout.splitlines()]

    assert lines == [[new.id, "active"], [gone.id, "revoked"], [old.id, "expired"]]
    assert hers == [new.id, old.id]


def test_a_revoked_key_says_so(ledger: MemoryAccessLedger, clock: ManualClock) -> None:
    presented = create("--client", "alice")

    done = call("revoke", presented.id, "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)["state"] == "revoked"
    stored = ledger.key(presented.id)
    assert stored is not None
    assert stored.revoked == clock.now()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("create",), "--client"),
        (("create", "--client", "public"), "cannot name a client"),
        (("create", "--client", "a", "--scopes", "write"), "'write' is not a scope"),
        (("create", "--client", "a", "--scopes", ""), "must allow something"),
        (("create", "--client", "a", "--expires", "soon"), "'soon' is not a lifetime"),
        (("revoke", "0" * 12), "there is no key of that id"),
    ],
)
def test_what_cannot_be_done_is_wrong_usage(
    ledger: MemoryAccessLedger, words: tuple[str, ...], told: str
) -> None:
    done = call(*words)

    assert done.exit_code == 2
    assert told in done.stderr
    assert ledger.all_keys() == ()


def test_a_ledger_that_refuses_is_told_with_status_three(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(MemoryAccessLedger):
        def all_keys(self) -> tuple[()]:
            raise ServiceDenied("the table is not yours")

    monkeypatch.setattr(key_commands, "chosen_ledger", lambda _names: (Closed(), ManualClock()))

    done = call("list")

    assert (done.exit_code, done.stderr) == (3, "error: ServiceDenied: the table is not yours\n")


def test_what_operators_do_to_keys_is_recorded_before_it_is_done(
    ledger: MemoryAccessLedger, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create("--client", "alice", "--scopes", "read", "--expires", "2d")
    clock.sleep(1.0)
    call("revoke", made.id)

    revoked, created = ledger.audit.acts(first_day=0, last_day=10**6)
    assert (created.action, created.subject, created.at) == (
        "keys.create",
        made.id,
        clock.now() - 1,
    )
    assert created.detail == "client=alice scopes=read expires=2d"
    assert (revoked.action, revoked.subject) == ("keys.revoke", made.id)
    assert made.text not in repr((revoked, created))

    def refuse(*_: object, **__: object) -> None:
        raise ServiceDenied("the table is not yours")

    monkeypatch.setattr(ledger.audit, "note", refuse)
    assert call("create", "--client", "bob").exit_code == 3
    assert len(ledger.all_keys()) == 1


def test_the_record_is_listed_the_newest_first(
    ledger: MemoryAccessLedger, clock: ManualClock
) -> None:
    old = create("--client", "alice")
    clock.sleep(40 * 86_400)
    new = create("--client", "bob")

    def audited(*words: str) -> Result:
        return CliRunner().invoke(audit, [*words])

    (shown,) = [json.loads(line) for line in audited("--json").stdout.splitlines()]
    assert (shown["action"], shown["subject"]) == ("keys.create", new.id)
    assert shown["detail"].startswith("client=bob")
    assert shown["at"].endswith("+00:00")
    lines = audited("--days", "41").stdout.splitlines()
    assert [new.id in lines[0], old.id in lines[1]] == [True, True]
