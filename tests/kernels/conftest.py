"""Fixtures of the kernels' tests."""

from __future__ import annotations

import math

import pytest

from app_tier.kernels import branch_and_bound


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """No budget: the search never falls back to the direct kernel, however small the problem."""
    monkeypatch.setattr(branch_and_bound, "_SHARE", math.inf)
