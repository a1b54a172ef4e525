"""A million atoms fill less than 300 MB with each kernel: the whole process, and its libraries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app_tier.executor.pool import ENVIRONMENT
from app_tier.kinds.grid.kernels import KERNELS
from app_tier.kinds.grid.kernels.numba_compile import COMPILES
from tests.app_tier.kinds.grid.kernels.memory import MOST

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[5]


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the peak is read in /proc: run on Linux"
)
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_million_atoms_fill_less_than_300_megabytes(kernel: str) -> None:
    if COMPILES:
        from app_tier.kinds.grid.warm_up import have_compiled  # noqa: PLC0415 - compiles

        have_compiled(lambda _points: None)
    told = subprocess.run(
        [sys.executable, "-m", "tests.app_tier.kinds.grid.kernels.memory", kernel],
        cwd=ROOT,
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        check=True,
        text=True,
    )

    assert int(told.stdout) < MOST
