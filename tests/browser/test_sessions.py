"""Logging in and out in a real browser, over plain http and over TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.app import HOST, KEYS, PROXIES
from tests.browser.conftest import OPTIONS, launched
from tests.browser.tls import tls_before
from tests.load.server import serving
from web_tier.auth.cookie import PLAIN_NAME, SECURE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Playwright

    from tests.load.server import Server

PATIENCE_MS = 30_000
APP = "tests.browser.app:keyed()"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("keyed") / "log", app=APP) as running:
        yield running


def log_in(page: Page, url: str, client: str) -> None:
    page.goto(f"{url}/")
    page.fill("#key", KEYS[client][0])
    page.click("button.main")
    page.wait_for_selector("text=Recent jobs", timeout=PATIENCE_MS)


def compute(page: Page) -> str:
    """Submit the form as it stands; the path of the job's page, which shows its result."""
    page.click("button.main")
    page.wait_for_selector("#minimum", timeout=PATIENCE_MS)
    return page.evaluate("location.pathname")  # type: ignore[no-any-return]


def log_out(page: Page) -> None:
    page.click("text=Log out")
    page.wait_for_selector("#key", timeout=PATIENCE_MS)


def shows_a_job(page: Page) -> bool:
    return page.query_selector("#minimum") is not None or page.query_selector("canvas") is not None


@pytest.fixture
def remembering(playwright: Playwright) -> Iterator[Browser]:
    """A browser that keeps the pages that were left, to show them at once when one goes back."""
    with launched(playwright, *OPTIONS, without=("--disable-back-forward-cache",)) as running:
        yield running


def test_after_logging_out_the_back_button_shows_no_molecule(
    remembering: Browser, site: Server
) -> None:
    context = remembering.new_context()
    page = context.new_page()
    log_in(page, site.url, "alice")
    path = compute(page)
    page.click("text=Jobs")
    page.go_back()
    page.wait_for_selector("#minimum", timeout=PATIENCE_MS)

    log_out(page)

    for _ in range(3):
        page.go_back()
        page.wait_for_load_state()
        assert not shows_a_job(page), page.url
    page.goto(site.url + path)
    assert page.url.startswith(f"{site.url}/login?next=")
    # Nothing of it is on the browser's disk either.
    kept = page.evaluate(
        """async (path) => {
            const options = { cache: "only-if-cached", mode: "same-origin" };
            try { return (await fetch(path, options)).status; } catch { return "missing"; }
        }""",
        f"/v1{path}",
    )
    assert kept in (401, "missing")
    context.close()


def test_the_cookie_is_a_session_that_no_script_reads(browser: Browser, site: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    log_in(page, site.url, "alice")

    (cookie,) = context.cookies()
    assert (cookie["name"], cookie["path"]) == (PLAIN_NAME, "/")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert KEYS["alice"][0].split("_", 2)[2] not in cookie["value"]
    assert page.evaluate("document.cookie") == ""

    log_out(page)
    assert context.cookies() == []
    # The token that was taken before is worth nothing afterwards.
    context.add_cookies([{"name": cookie["name"], "value": cookie["value"], "url": site.url}])
    page.goto(f"{site.url}/jobs")
    assert "/login" in page.url
    context.close()


def test_two_browsers_have_sessions_of_their_own(browser: Browser, site: Server) -> None:
    contexts = [browser.new_context() for _ in range(3)]
    hers, hers_too, his = (context.new_page() for context in contexts)
    log_in(hers, site.url, "alice")
    log_in(hers_too, site.url, "alice")
    log_in(his, site.url, "bob")
    path = compute(hers)

    his.goto(site.url + path)
    assert not shows_a_job(his)
    assert "there is no job" in his.content()

    log_out(hers)
    hers_too.goto(site.url + path)
    hers_too.wait_for_selector("#minimum", timeout=PATIENCE_MS)
    for context in contexts:
        context.close()


def test_over_tls_the_cookie_is_of_this_host_alone_and_a_planted_one_is_not_taken(
    playwright: Playwright, tmp_path: Path
) -> None:
    names = "--host-resolver-rules=MAP *.example.test 127.0.0.1"
    with (
        serving(tmp_path / "log", app=APP, env={PROXIES: "1"}) as server,
        tls_before(tmp_path, server, HOST) as port,
        launched(playwright, names, *OPTIONS) as running,
    ):
        url, sibling = f"https://{HOST}:{port}", f"https://evil.example.test:{port}"
        context = running.new_context(ignore_https_errors=True)
        page = context.new_page()
        log_in(page, url, "bob")
        (planted,) = context.cookies()
        context.clear_cookies()

        # A page of a sibling host plants bob's session, under each name and for the whole domain.
        page.goto(f"{sibling}/healthz")
        for name in (SECURE_NAME, PLAIN_NAME, "gridwell_key"):
            page.evaluate(
                "text => { document.cookie = text }",
                f"{name}={planted['value']}; domain=example.test; path=/; secure",
            )
        assert SECURE_NAME not in {cookie["name"] for cookie in context.cookies()}
        page.goto(f"{url}/jobs")
        assert "/login" in page.url

        log_in(page, url, "alice")
        assert page.get_attribute("button[title]", "title") == "alice"
        (cookie,) = (each for each in context.cookies() if each["name"] == SECURE_NAME)
        assert (cookie["secure"], cookie["httpOnly"], cookie["domain"]) == (True, True, HOST)
        answer = page.goto(f"{url}/jobs")
        assert answer is not None
        assert answer.headers["strict-transport-security"].startswith("max-age=")

        log_out(page)
        assert SECURE_NAME not in {each["name"] for each in context.cookies()}
        page.go_back()
        page.wait_for_load_state()
        assert page.query_selector("button[title=alice]") is None
        context.close()
