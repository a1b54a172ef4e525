"""What the web tier is told by its environment."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

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


def test_settings_that_cannot_be_used_are_all_told_and_end_the_command() -> None:
    environment = {"PATH": os.environ["PATH"], "GRIDWELL_PORT": "99999", "GRIDWELL_THREADS": "3"}

    done = subprocess.run(
        [sys.executable, "-m", "web_tier", "serve"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
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
