"""A real gunicorn with our configuration: what only it can show."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
import requests

from gridwell.domain import limits
from tests.web_tier.http import SMALL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 20.0
ALONE = {"Connection": "close"}


class Server:
    """A running gunicorn."""

    def __init__(self, log: Path) -> None:
        self._log = log
        command = [
            sys.executable, "-m", "gunicorn",
            "--config", str(files("web_tier") / "gunicorn_conf.py"),
            "--bind", "127.0.0.1:0", "--threads", "40",
            "tests.web_tier.http:application()",
        ]  # fmt: skip
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, stderr=output)

    def said(self, pattern: str) -> str:
        """The part of the log that matches, as soon as it does."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := re.search(pattern, self._log.read_text()):
                return found[1]
            assert self.process.poll() is None, self._log.read_text()
            time.sleep(0.02)
        raise AssertionError(self._log.read_text())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "log")
    try:
        yield started
    finally:
        started.process.terminate()  # a killed master would leave its worker for a while
        started.process.wait(PATIENCE)


def test_sigterm_ends_all_waiting_at_once_and_then_the_server(server: Server) -> None:
    url = server.said(r"Listening at: (http://\S+)")
    server.said(r"(Booting worker)")
    prefer = {**ALONE, "Prefer": "wait=30"}
    answers: list[requests.Response] = []

    def ask() -> None:
        response = requests.post(f"{url}/v1/jobs", json=SMALL, headers=prefer, timeout=PATIENCE)
        answers.append(response)

    first = requests.post(f"{url}/v1/jobs", json=SMALL, headers=ALONE, timeout=PATIENCE)
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert first.status_code == 202
    time.sleep(0.5)  # they wait now; sooner or later makes no other answer, only a lesser test
    assert not answers

    server.process.send_signal(signal.SIGTERM)

    started = time.monotonic()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started < 5
    assert [answer.status_code for answer in answers] == [202] * 4
    assert all("Preference-Applied" not in answer.headers for answer in answers)
    assert server.process.wait(PATIENCE) == 0


def test_a_body_that_comes_in_pieces_is_refused_once_it_is_too_large(server: Server) -> None:
    url = server.said(r"Listening at: (http://\S+)")
    piece = b" " * (1 << 20)
    count = limits.MAX_BODY_BYTES // len(piece) + 2

    response = requests.post(
        f"{url}/v1/jobs",
        data=(piece for _ in range(count)),
        headers={**ALONE, "Content-Type": "application/json"},
        timeout=PATIENCE,
    )

    assert response.status_code == 413
    assert response.json()["code"] == "body_too_large"
