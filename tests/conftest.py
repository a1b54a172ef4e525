"""What all tests share."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.browser.conftest import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Playwright

# Examples have no deadline of their own: on a busy machine a slow one is no wrong one.  Tests
# that promise a speed measure it themselves, and pytest-timeout ends what hangs.
settings.register_profile("gridwell", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gridwell")

# A shell starts what runs in the background with SIGINT ignored, and its children inherit that:
# none of the programs that tests interrupt would ever notice.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """What starts browsers: there can be only one of it."""
    chromium()
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is one

    with sync_playwright() as started:
        yield started
