"""Twenty kills, at any moment and at failpoints, while clients wait for answers.

The long ordeal is `make chaos`; this one leaves out what takes minutes to heal.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.chaos.experiment import Ordeal, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.conftest import Stack

#: Where a crash between two calls would cost most if their order were wrong.
POINTS = (
    "web tier killed after dynamodb PutItem",  # accepted, and nothing sent
    "web tier killed after sqs SendMessageBatch",
    "collector killed after dynamodb UpdateItem",  # merged, and not deleted
    "collector killed before sqs DeleteMessageBatch",
    "collector killed after s3 PutObject",  # the record is there, the job not closed
    "collector killed before memcached set",
    "autoscaler killed after ec2 StartInstances",
    "autoscaler killed after dynamodb PutItem",  # the intent is written
    "worker killed after sqs ReceiveMessage",
    "worker killed after sqs SendMessageBatch",  # the result is sent, the chunk not deleted
)
ORDEAL = Ordeal(
    seed=619,  # in its plan, what takes longest to heal comes first
    kills=20,
    points=POINTS,
    others={
        "worker frozen": 1,
        "autoscaler frozen": 1,
        "cache flushed": 1,
        "cache frozen": 1,
        "chunks doubled": 1,
        "region away": 1,
    },
    pause=0.5,
    clients=6,
    away=4.0,
)


@pytest.mark.timeout(600)
def test_twenty_kills_cost_no_answer_no_client_and_no_instance_too_many(
    stack: Stack, tmp_path: Path
) -> None:
    # The image is baked already.
    subprocess.run(["cp", "-al", stack.state.path / "images", tmp_path / "images"], check=True)

    report = run(tmp_path, ORDEAL, chronicle=tmp_path / "chaos.log", aloud=False)

    told = "\n".join([*report.violations, "the last events:", *report.last, str(tmp_path)])
    assert report.violations == [], told
    assert report.kills == ORDEAL.kills
    assert set(report.struck) >= {*POINTS, *ORDEAL.others}
    assert report.requests["verified"] == report.requests["answered"] > 0
    assert report.jobs == {"done": report.requests["answered"]}
    assert report.looks > 0
