"""The modules that a compute process loads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.grid_tasks import RUNNERS

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[3]
LISTED = "import app_tier.executor.child, json, pkgutil, sys; {}; print(json.dumps([*sys.modules]))"


def loaded(statement: str) -> set[str]:
    """Return the modules that are loaded after a statement, to a depth of two names."""
    listed = subprocess.run(
        [sys.executable, "-c", LISTED.format(statement)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return {".".join(name.split(".")[:2]) for name in json.loads(listed.stdout)}


def test_the_code_of_a_compute_process_loads_no_kind_of_work() -> None:
    names = loaded("pass")

    assert "app_tier.executor" in names
    assert not names & {"app_tier.kinds", "gridwell.kinds", "numpy"}


def test_a_compute_process_loads_neither_aws_nor_settings() -> None:
    names = loaded(f"pkgutil.resolve_name('{RUNNERS}')")

    assert {"app_tier.kinds", "numpy"} <= names
    assert not names & {"boto3", "botocore", "click", "pydantic"}
