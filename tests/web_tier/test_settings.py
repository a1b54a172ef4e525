"""What the web tier is told by its environment."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from pydantic import ValidationError

from gridwell.access.quota import Quota
from tests.harness.waiting import DEADLINE
from web_tier.auth.route_rules import RouteKind
from web_tier.settings import Settings


@pytest.fixture(autouse=True)
def _only_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("GRIDWELL_"):
            monkeypatch.delenv(name)


def test_names_follow_from_the_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWELL_FLEET", "blue")
    monkeypatch.setenv("GRIDWELL_BUCKET", "blue-1-x")

    settings = Settings()

    assert settings.queue("chunks") == "blue-chunks"
    assert settings.queue("dead_results") == "blue-dead-results"
    assert settings.table == "blue-ledger"
    assert (settings.host, settings.threads, settings.waiting) == ("127.0.0.1", 940, 512)


def test_names_that_are_given_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWELL_BUCKET", "blue-1-x")
    monkeypatch.setenv("GRIDWELL_CHUNKS_QUEUE", "work")
    monkeypatch.setenv("GRIDWELL_LEDGER_TABLE", "truth")

    assert Settings().queue("chunks") == "work"
    assert Settings().table == "truth"


@pytest.mark.parametrize("address", ["cache.internal:11211", "/run/user/1000/memcached.sock"])
def test_memcached_is_on_a_port_or_a_socket_file(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("GRIDWELL_BUCKET", "blue-1-x")
    monkeypatch.setenv("GRIDWELL_MEMCACHED", address)

    assert Settings().memcached == address


@pytest.mark.parametrize("address", ["memcached.sock", "run/memcached.sock", "host", "a/b:11211"])
def test_an_address_of_memcached_that_is_neither_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("GRIDWELL_BUCKET", "blue-1-x")
    monkeypatch.setenv("GRIDWELL_MEMCACHED", address)

    with pytest.raises(ValidationError, match="memcached"):
        Settings()


def test_the_key_of_the_kill_button_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWELL_BUCKET", "blue-1-x")
    monkeypatch.setenv("GRIDWELL_KILL_KEY", "very-secret")

    assert "very-secret" not in repr(Settings())


def test_settings_that_cannot_be_used_are_all_told_and_end_the_command() -> None:
    environment = {"PATH": os.environ["PATH"], "GRIDWELL_PORT": "99999", "GRIDWELL_THREADS": "3"}

    done = subprocess.run(
        [sys.executable, "-m", "web_tier", "serve"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )

    assert done.returncode == 2
    for name in ("GRIDWELL_BUCKET", "GRIDWELL_PORT", "GRIDWELL_THREADS"):
        assert name in done.stderr
    assert "99999" in done.stderr


def test_more_streams_than_threads_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWELL_BUCKET", "blue-1-x")
    monkeypatch.setenv("GRIDWELL_THREADS", "200")

    with pytest.raises(ValueError, match="200 threads are too few for 300 streams"):
        Settings()


def serve(**settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "GRIDWELL_BUCKET": "blue-1-x"}
    return subprocess.run(
        [sys.executable, "-m", "web_tier", "serve"],
        env=environment | {f"GRIDWELL_{name}": value for name, value in settings.items()},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )


def test_without_keys_the_server_refuses_to_listen_to_others() -> None:
    done = serve(HOST="0.0.0.0")

    assert done.returncode == 2
    for words in ("GRIDWELL_ACCESS", "'0.0.0.0'", "GRIDWELL_ACCESS=keys", "gridwell keys create"):
        assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_with_keys_the_server_refuses_to_listen_to_others_without_a_name() -> None:
    done = serve(HOST="0.0.0.0", ACCESS="keys")

    assert done.returncode == 2
    for words in ("GRIDWELL_HOSTS", "'0.0.0.0'", "grid.example.org"):
        assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "grid.example.org", ""])
def test_open_access_is_for_loopback(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("GRIDWELL_BUCKET", "blue-1-x")
    monkeypatch.setenv("GRIDWELL_HOST", host)
    with pytest.raises(ValidationError, match="open access is for loopback only"):
        Settings()

    monkeypatch.setenv("GRIDWELL_ACCESS", "keys")
    monkeypatch.setenv("GRIDWELL_HOSTS", "grid.example.org")
    assert Settings().host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_this_machine_needs_no_keys_and_has_no_limits(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("GRIDWELL_BUCKET", "blue-1-x")
    monkeypatch.setenv("GRIDWELL_HOST", host)

    settings = Settings()

    assert (settings.access, settings.rates, settings.quota) == ("open", {}, Quota())


def test_with_keys_there_are_limits_unless_they_are_set_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GRIDWELL_BUCKET", "blue-1-x")
    monkeypatch.setenv("GRIDWELL_ACCESS", "keys")
    usual = Settings()
    assert usual.rates == {RouteKind.SUBMITS: "120/minute", RouteKind.READS: "1200/minute"}
    assert usual.quota == Quota(unfinished=100, job_seconds=600.0, day_seconds=36_000.0)

    for name, value in {
        "SUBMIT_RATE": "off",
        "READ_RATE": "5/second",
        "MAX_UNFINISHED": "7",
        "MAX_JOB_SECONDS": "off",
        "DAILY_SECONDS": "12.5",
    }.items():
        monkeypatch.setenv(f"GRIDWELL_{name}", value)
    assert Settings().rates == {RouteKind.READS: "5/second"}
    assert Settings().quota == Quota(unfinished=7, day_seconds=12.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCESS", "closed"),
        ("SUBMIT_RATE", "fast"),
        ("READ_RATE", "0/minute"),
        ("FAILURE_RATE", "off"),
        ("MAX_UNFINISHED", "0"),
        ("MAX_JOB_SECONDS", "-1"),
        ("DAILY_SECONDS", "many"),
        ("PROXIES", "-1"),
    ],
)
def test_limits_that_make_no_sense_are_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("GRIDWELL_BUCKET", "blue-1-x")
    monkeypatch.setenv(f"GRIDWELL_{name}", value)

    with pytest.raises(ValidationError, match=name.lower()):
        Settings()
