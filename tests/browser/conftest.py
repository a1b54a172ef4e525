"""One browser and one server for the whole run; a page of its own for each test."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.load.server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Playwright

    from tests.load.server import Server

#: WebGL by the processor, as test machines have no graphics.
OPTIONS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@dataclass
class Tab:
    """A page, and all that went wrong in it."""

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))

    def open(self, path: str) -> Page:
        """Go somewhere on the site."""
        self.page.goto(self.url + path)
        return self.page


def chromium() -> str:
    """Where Debian's Chromium is.  Without it a laptop skips these tests, and CI fails."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        words = "Chromium is not installed: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    return found


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real gunicorn, whose jobs are computed a chunk at a time."""
    log = tmp_path_factory.mktemp("browser") / "log"
    with serving(log, app="tests.browser.app:application()") as running:
        yield running


@contextmanager
def launched(
    playwright: Playwright, *options: str, without: tuple[str, ...] = ()
) -> Iterator[Browser]:
    """A headless Chromium, without some of the options that tests usually run with."""
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    running = playwright.chromium.launch(
        executable_path=chromium(), args=[*options, *root], ignore_default_args=list(without)
    )
    yield running
    running.close()


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """The browser of most tests."""
    with launched(playwright, *OPTIONS) as running:
        yield running


@pytest.fixture
def tab(browser: Browser, server: Server) -> Iterator[Tab]:
    """A fresh page on a wide screen, which must stay without a message."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    opened = Tab(context.new_page(), server.url)
    yield opened
    context.close()
    assert opened.problems == []
    assert opened.hosts <= {server.url.split("/")[2]}
