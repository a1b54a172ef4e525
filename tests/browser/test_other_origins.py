"""What a real browser lets pages of other origins read and send."""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.browser.conftest import launched
from tests.harness.web_http import SMALL
from tests.load.app import A_KEY, NO_KEY, fixed_key
from tests.load.server import PATIENCE, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page, Playwright

    from tests.load.server import Server

#: Asks, and gives what a script may see of the answer; or the error's name.
FETCH = """async ([url, options]) => {
    try {
        const answer = await fetch(url, options);
        const read = (name) => answer.headers.get(name);
        const headers = ["ETag", "Location", "Retry-After", "X-Request-ID"].map(read);
        return { status: answer.status, headers, text: await answer.text() };
    } catch (error) { return { error: error.name }; }
}"""
BLOCKED = {"error": "TypeError"}


class _Blank(http.server.BaseHTTPRequestHandler):
    """A page of somebody else's."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The address of such a page."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Blank) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def page(playwright: Playwright, elsewhere: str) -> Iterator[Page]:
    """It, in a browser to which a foreign name leads to this machine, as a rebound one does."""
    with launched(playwright, "--host-resolver-rules=MAP evil.example 127.0.0.1") as running:
        opened = running.new_page()
        opened.goto(elsewhere)
        yield opened


def fetch(page: Page, url: str, **options: Any) -> dict[str, Any]:
    answer: dict[str, Any] = page.evaluate(FETCH, [url, options])
    return answer


def submit(page: Page, server: Server, key: int) -> dict[str, Any]:
    text, _ = fixed_key(key)
    headers = {"Authorization": f"Bearer {text}", "Content-Type": "application/json"}
    body = '{"grid_size": 4, "atom_count": 5, "seed": 1}'
    return fetch(page, f"{server.url}/v1/jobs", method="POST", headers=headers, body=body)


def test_with_a_key_a_page_of_another_origin_submits_and_follows_its_job(
    page: Page, tmp_path: Path
) -> None:
    with serving(tmp_path / "log", app="tests.load.app:keyed()") as server:
        accepted = submit(page, server, A_KEY)
        refused = submit(page, server, NO_KEY)
        _, location, retry, _ = accepted["headers"]
        text, _ = fixed_key(A_KEY)
        headers = {"Authorization": f"Bearer {text}"}
        first = fetch(page, server.url + location, headers=headers)
        headers["If-None-Match"] = first["headers"][0]
        # A script that asks itself sees the 304; else its browser would answer from what it kept.
        again = fetch(page, server.url + location, headers=headers, cache="no-store")

    assert (accepted["status"], retry) == (202, "1")
    assert (refused["status"], "key_wrong" in refused["text"]) == (401, True)
    assert first["status"] == 200
    assert all(first["headers"][k] for k in (0, 3))
    assert again["status"] == 304


def test_while_open_a_page_of_another_origin_reads_neither_files_nor_jobs(
    page: Page, tmp_path: Path
) -> None:
    with serving(tmp_path / "log", app="tests.harness.web_http:application()") as server:
        made = requests.post(f"{server.url}/v1/jobs", json=SMALL, timeout=PATIENCE).json()
        atoms = fetch(page, f"{server.url}{made['links']['atoms']}")
        seen = fetch(page, f"{server.url}{made['links']['atoms']}", mode="no-cors")
        jobs = fetch(page, f"{server.url}/v1/jobs")
        sent = fetch(page, f"{server.url}/v1/jobs", method="POST", body="{}", mode="no-cors")
        kept = requests.get(f"{server.url}/v1/jobs", timeout=PATIENCE).json()["jobs"]

    assert atoms == BLOCKED
    assert seen == BLOCKED, "not even that it is there"
    assert jobs == BLOCKED
    assert sent == BLOCKED
    assert [job["id"] for job in kept] == [made["id"]]


def test_a_page_that_rebinds_its_name_is_told_nothing_though_it_is_of_the_servers_origin(
    page: Page, tmp_path: Path
) -> None:
    with serving(tmp_path / "log", app="tests.harness.web_http:application()") as server:
        requests.post(f"{server.url}/v1/jobs", json=SMALL, timeout=PATIENCE)
        rebound = f"http://evil.example:{server.port}"
        page.goto(f"{rebound}/healthz")
        read = fetch(page, f"{rebound}/v1/jobs")
        sent = fetch(
            page,
            f"{rebound}/v1/jobs",
            method="POST",
            headers={"Content-Type": "application/json"},
            body='{"grid_size": 4, "atom_count": 5, "seed": 2}',
        )
        kept = requests.get(f"{server.url}/v1/jobs", timeout=PATIENCE).json()["jobs"]

    assert (read["status"], "unknown_host" in read["text"]) == (421, True)
    assert sent["status"] == 421
    assert len(kept) == 1
