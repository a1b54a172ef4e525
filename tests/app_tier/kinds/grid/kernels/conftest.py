"""Fixtures of the kernels' tests."""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING

import pytest

from app_tier.kinds.grid.kernels import KERNELS
from app_tier.kinds.grid.kernels.numba_compile import COMPILES
from tests.app_tier.kinds.grid.kernels.cases import searches

if TYPE_CHECKING:
    from types import ModuleType

needs_numba = pytest.mark.skipif(
    not COMPILES, reason="numba is not installed: pip install 'gridwell[fast]'"
)


@pytest.fixture(
    params=["branch_and_bound", pytest.param("jit_branch_and_bound", marks=needs_numba)]
)
def search(request: pytest.FixtureRequest) -> ModuleType:
    """The module of a kernel that searches."""
    return importlib.import_module(KERNELS[request.param].__module__)


@pytest.fixture
def kernel(search: ModuleType) -> str:
    """That kernel's name."""
    return search.__name__.rpartition(".")[2]


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """No budget: searches never fall back to summing, however small the problem."""
    for module in searches():
        monkeypatch.setattr(module, "_SHARE", math.inf)
