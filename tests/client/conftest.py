from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gridwell.client import Client
from tests.harness.served_app import Served, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    with Client(served.url, retries=2) as made:
        yield made
