"""The pages as people use them, in a real browser, served by a real gunicorn."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.harness.waiting import DEADLINE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

    from tests.browser.conftest import Tab
    from tests.load.server import Server

PATIENCE_MS = 30_000


def submit_random(page: Page, *, size: str = "33", atoms: str = "50", seed: str = "1") -> None:
    page.check("input[value=random]")
    page.fill("#grid_size", size)
    page.fill("#atom_count", atoms)
    page.fill("#seed", seed)
    page.click("button.main")


def estimate(page: Page, words: str) -> None:
    page.locator("#estimate", has_text=words).wait_for(timeout=PATIENCE_MS)


def await_result(page: Page) -> None:
    page.wait_for_selector("#minimum", timeout=PATIENCE_MS)


def verified(page: Page) -> str:
    """What the browser says of a result that it is asked to verify."""
    page.click("#verify")
    return page.inner_text("#verified")


def job_of(tab: Tab) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(
        f"{tab.url}/v1/jobs/{tab.page.url.rsplit('/', 1)[-1]}", timeout=DEADLINE
    ).json()
    return found


def colours(page: Page, selector: str) -> int:
    """How many colours a canvas shows: one that nothing was drawn on has one."""
    page.wait_for_selector(selector, timeout=PATIENCE_MS)
    counted: int = page.evaluate(
        """async (selector) => {
            const copy = document.createElement("canvas").getContext("2d");
            const canvas = document.querySelector(selector);
            copy.canvas.width = 64; copy.canvas.height = 64;
            // A WebGL canvas can only be read in the frame in which it was drawn.
            await new Promise((resolve) => requestAnimationFrame(resolve));
            copy.drawImage(canvas, 0, 0, 64, 64);
            const { data } = copy.getImageData(0, 0, 64, 64);
            return new Set(new Uint32Array(data.buffer)).size;
        }""",
        selector,
    )
    return counted


def test_the_form_as_it_stands_leads_to_a_minimum_that_the_browser_verifies(tab: Tab) -> None:
    page = tab.open("/")
    estimate(page, "pairs")

    page.click("button.main")
    await_result(page)

    job = job_of(tab)
    assert page.inner_text("#minimum") == repr(job["result"]["minimum"])
    assert page.inner_text("#index") == ", ".join(map(str, job["result"]["index"]))
    said = verified(page)
    assert re.search(r"right to the last bit, and none of [\d,]+ other points is lower", said)


def test_dna_places_six_ions_that_the_browser_verifies(tab: Tab) -> None:
    page = tab.open("/")
    page.check("input[name=example][value=helix]")
    assert page.input_value("#count") == "6"
    assert page.input_value("#energy") == "1"

    page.click("button.main")
    await_result(page)

    energies = page.locator("#points tbody tr td:last-child").all_inner_texts()
    assert energies == [repr(point["energy"]) for point in job_of(tab)["points"]]
    assert len(energies) == 6
    assert "right to the last bit" in verified(page)


def test_a_wrong_ion_is_seen_by_the_browser(tab: Tab) -> None:
    def lie(route: Any) -> None:
        answer = route.fetch()
        body = answer.json()
        if body.get("points"):
            body["points"][-1]["energy"] += 1e-15
        route.fulfill(response=answer, json=body)

    page = tab.open("/")
    page.check("input[name=example][value=helix]")
    page.click("button.main")
    await_result(page)
    page.route("**/v1/jobs/*", lie)
    page.reload()

    assert "wrong" in verified(page)


def test_a_wrong_minimum_is_seen_by_the_browser(tab: Tab) -> None:
    def lie(route: Any) -> None:
        answer = route.fetch()
        body = answer.json()
        if body.get("result"):
            body["result"]["minimum"] += 1e-15
        route.fulfill(response=answer, json=body)

    page = tab.open("/")
    submit_random(page, seed="2")
    await_result(page)
    page.route("**/v1/jobs/*", lie)
    page.reload()

    assert "wrong" in verified(page)


def test_the_bar_and_the_boxes_move_while_chunks_are_computed(tab: Tab) -> None:
    page = tab.open("/")
    submit_random(page, atoms="17", seed="3")  # of which a chunk takes half a second
    page.wait_for_selector("#boxes")

    seen = set()
    while not page.query_selector("#minimum"):
        seen.add(page.evaluate("document.getElementById('progress')?.value ?? 0"))
        page.wait_for_timeout(40)

    assert len(seen) >= 4
    assert page.title().startswith("done")


def test_the_bar_counts_ions_while_they_are_placed(tab: Tab) -> None:
    page = tab.open("/")
    job = page.evaluate(
        """async () => {
          const place = { count: 6, energy: 1 };
          const body = JSON.stringify({ grid_size: 6, atom_count: 17, place });
          const headers = { "Content-Type": "application/json" };
          return (await (await fetch("/v1/jobs", { method: "POST", headers, body })).json()).id;
        }"""
    )
    page.goto(f"{page.url}jobs/{job}")

    seen = []
    while not page.query_selector("#minimum"):
        told = page.evaluate(
            "[document.getElementById('counts')?.textContent, "
            "document.getElementById('progress')?.value]"
        )
        seen += [] if told in seen else [told]
        page.wait_for_timeout(40)

    running = [(words, value) for words, value in seen if str(words).startswith("ion ")]
    assert running == [(f"ion {value + 1} of 6", value) for _, value in running]
    assert len(running) >= 3
    assert page.inner_text("#counts") == "6 of 6 ions"


def test_the_result_is_drawn_in_space_and_as_a_slice(tab: Tab) -> None:
    page = tab.open("/")
    submit_random(page, seed="4")
    await_result(page)

    assert colours(page, "#slice") > 8
    least, most = page.inner_text("#slice-least"), page.inner_text("#slice-most")
    assert (least[:3], most[:2]) == ("≤ -", "≥ ")
    assert least[3:] == most[2:] != "0"
    page.wait_for_selector("#picture canvas")
    plain = page.locator("#picture").screenshot()
    page.check("#surface")
    page.wait_for_timeout(500)
    assert len(set(plain)) > 1
    assert page.locator("#picture").screenshot() != plain
    page.locator("#layer").fill("0")
    assert page.inner_text("#layer-words") == "0, z = 0"


def test_own_atoms_are_uploaded(tab: Tab) -> None:
    page = tab.open("/")
    page.check("input[value=file]")
    page.set_input_files(
        "#file",
        {"name": "two.csv", "mimeType": "text/csv", "buffer": b"x,y,z,charge\n0,0,0,1\n3,3,3,-1\n"},
    )
    estimate(page, "2 atoms")
    page.click("button.main")
    await_result(page)

    assert job_of(tab)["atom_count"] == 2


def test_a_file_that_is_dropped_is_taken(tab: Tab) -> None:
    page = tab.open("/")
    page.check("input[value=file]")
    transfer = page.evaluate_handle(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(["x,y,z,charge\\n0,0,0,1\\n"], "one.csv"));
            return transfer;
        }"""
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})

    estimate(page, "CSV, 1 atom of charge 1")


def test_what_was_read_of_a_file_is_told_before_it_is_submitted(tab: Tab) -> None:
    page = tab.open("/")
    page.check("input[value=file]")
    two_frames = b"1\n\nC 0 0 0 1\n" * 2
    page.set_input_files("#file", {"name": "a.xyz", "mimeType": "", "buffer": two_frames})

    estimate(page, "XYZ, 1 atom of charge 1, 2 other lines; 2 lines after the first frame")


def test_a_file_that_is_too_large_is_told_and_not_sent(tab: Tab) -> None:
    page = tab.open("/")
    page.check("input[value=file]")
    page.evaluate("document.getElementById('file').dataset.most = '10'")
    page.set_input_files(
        "#file", {"name": "<b>large.csv", "mimeType": "", "buffer": b"0,0,0,1\n" * 300_000}
    )
    estimate(page, "<b>large.csv has 2 MB, and 0 MB are taken at most")

    page.click("button.main")

    assert page.url == f"{tab.url}/"


def test_faults_are_shown_at_their_fields(tab: Tab) -> None:
    page = tab.open("/")
    submit_random(page, size="many")
    page.wait_for_selector("#grid_size-error")

    assert "many" in page.inner_text("#grid_size-error")
    assert page.get_attribute("#grid_size", "aria-invalid") == "true"
    assert page.input_value("#grid_size") == "many"
    # A browser tells its console of a page that came with a status of 422; that is all.
    assert [words for words in tab.problems if "422" not in words] == []
    tab.problems.clear()


def test_a_job_is_cancelled(tab: Tab) -> None:
    page = tab.open("/")
    submit_random(page, atoms="13", seed="5")
    page.wait_for_selector("#boxes")

    page.click("button.danger")
    page.wait_for_selector(".state.cancelled", timeout=PATIENCE_MS)

    assert job_of(tab)["state"] == "cancelled"


def test_how_far_a_cancelled_job_came_is_drawn_too(tab: Tab) -> None:
    page = tab.open("/")
    submit_random(page, atoms="13", seed="7")
    page.wait_for_selector("#boxes")
    page.click("button.danger")
    page.wait_for_selector(".state.cancelled")
    page.wait_for_function(
        """() => {
            const canvas = document.getElementById("boxes");
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            return data.some((value) => value > 0);
        }"""
    )


def test_an_end_is_shown_though_the_service_was_away_at_that_moment(tab: Tab) -> None:
    page = tab.open("/")
    away: list[str] = []

    def away_once(route: Route) -> None:
        if route.request.resource_type == "fetch" and not away:
            away.append(route.request.url)
            route.abort()
        else:
            route.fallback()

    page.route(re.compile("//[^/]+/jobs/[0-9a-f]{32}$"), away_once)
    submit_random(page, seed="9")
    await_result(page)

    assert away
    assert tab.problems == ["Failed to load resource: net::ERR_FAILED"]  # Chromium's own words
    tab.problems.clear()


def test_somebody_elses_cancelling_shows_at_once(tab: Tab) -> None:
    page = tab.open("/")
    submit_random(page, atoms="13", seed="6")
    page.wait_for_selector("#boxes")

    requests.delete(f"{tab.url}/v1/jobs/{page.url.rsplit('/', 1)[-1]}", timeout=DEADLINE)

    page.wait_for_selector(".state.cancelled", timeout=1000 * DEADLINE)


def test_without_event_streams_the_page_asks_by_itself(tab: Tab) -> None:
    page = tab.page
    page.route("**/events", lambda route: route.fulfill(status=503))
    tab.open("/")
    submit_random(page, seed="7")
    await_result(page)

    assert [words for words in tab.problems if "503" not in words] == []
    tab.problems.clear()


def test_dark_is_kept(tab: Tab) -> None:
    page = tab.open("/")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    page.reload()

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    assert page.inner_text("#theme") == "Light"


def test_the_fleet_shows_its_instances_and_why(tab: Tab) -> None:
    page = tab.open("/fleet")

    assert "Chunks waiting" in page.inner_text(".tiles")
    assert "of cap 19" in page.inner_text("main")
    assert "i-0c0ffee0c0ffee000" in page.inner_text("[data-fresh=instances]")


def test_the_fleet_is_drawn_over_the_last_hour(tab: Tab) -> None:
    page = tab.open("/fleet")
    page.wait_for_selector("#charts:not([hidden])")

    assert colours(page, "#instances-chart canvas") > 8
    assert colours(page, "#queue-chart canvas") > 4


@pytest.fixture(scope="session")
def done(server: Server) -> str:
    """The path of a job that has ended."""
    body = {"grid_size": 9, "atom_count": 20, "seed": 11}
    answer = requests.post(
        f"{server.url}/v1/jobs", json=body, headers={"Prefer": "wait=20"}, timeout=30
    ).json()
    assert answer["state"] == "done"
    path: str = answer["links"]["page"]
    return path


@pytest.mark.parametrize("path", ["/", "/jobs", "/fleet", "/docs", "job"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(tab: Tab, done: str, path: str, scheme: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415

    tab.page.emulate_media(color_scheme=scheme)
    page = tab.open(done if path == "job" else path)
    page.wait_for_timeout(300)

    found = Axe().run(page).response["violations"]

    serious = [
        (one["id"], [node["target"] for node in one["nodes"]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []


@pytest.mark.parametrize("path", ["/", "/jobs", "/fleet", "/docs", "job"])
def test_every_page_fits_a_narrow_screen(tab: Tab, done: str, path: str) -> None:
    tab.page.set_viewport_size({"width": 360, "height": 740})
    page = tab.open(done if path == "job" else path)
    page.wait_for_timeout(200)

    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_everything_can_be_done_by_keyboard(tab: Tab) -> None:
    page = tab.open("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.focus("#spacing")
    page.keyboard.type("1")
    page.keyboard.press("Enter")

    await_result(page)


def test_without_a_script_a_job_is_submitted_and_followed(browser: Browser, server: Server) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(server.url)
    page.fill("#grid_size", "20")
    page.check("input[value=random]")
    page.click("button.main")

    page.wait_for_selector("#minimum", timeout=PATIENCE_MS)  # the page renews itself
    context.close()
