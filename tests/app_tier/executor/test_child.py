"""What a compute process loads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_a_compute_process_loads_neither_aws_nor_settings() -> None:
    words = "import app_tier.executor.child, json, sys; print(json.dumps(list(sys.modules)))"
    listed = subprocess.run(
        [sys.executable, "-c", words], cwd=ROOT, capture_output=True, check=True, text=True
    )

    loaded = {name.partition(".")[0] for name in json.loads(listed.stdout)}
    assert "numpy" in loaded
    assert not loaded & {"boto3", "botocore", "click", "pydantic"}
