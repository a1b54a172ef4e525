"""`make screenshots`: the pictures of docs/images, taken anew."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import ViewportSize, sync_playwright

from tests.browser.conftest import OPTIONS, chromium
from tests.load.server import serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
_SIZE: Final[ViewportSize] = {"width": 1200, "height": 820}


def main() -> None:
    """Take every picture."""
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder) / "log", app="tests.browser.app:application()") as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=[*OPTIONS, "--no-sandbox"]
        )
        page = browser.new_page(viewport=_SIZE, color_scheme="light", reduced_motion="reduce")
        page.goto(server.url)
        page.locator("#estimate", has_text="pairs").wait_for()
        _take(page, "form")
        page.check("input[value=random]")
        page.fill("#grid_size", "64")
        page.fill("#atom_count", "17")
        page.click("button.main")
        page.wait_for_timeout(3000)
        _take(page, "running")
        page.goto(server.url)
        page.check("input[value=helix]")
        page.click("button.main")
        page.wait_for_selector("#verify")
        page.wait_for_selector("#picture canvas")
        page.click("#verify")
        page.check("#surface")
        page.wait_for_timeout(2000)
        _take(page, "result")
        page.emulate_media(color_scheme="dark")
        page.goto(f"{server.url}/fleet")
        page.wait_for_timeout(1500)
        _take(page, "fleet")
        browser.close()


def _take(page: Page, name: str) -> None:
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
