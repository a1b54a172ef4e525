"""What the generator's tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workload_generator.live_service import Live, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def live() -> Iterator[Live]:
    with serving() as site:
        yield site
