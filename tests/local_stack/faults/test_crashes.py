"""Programs that are killed exactly before or after their call."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gridwell.local_stack.faults.calling_process import MARK
from gridwell.local_stack.faults.plan import NOTHING
from tests.local_stack.conftest import ROOT

if TYPE_CHECKING:
    from tests.harness.local_region import Bench

CALLER = """
import os, sys, boto3
client = boto3.client("dynamodb")
print("ready", flush=True)
sys.stdin.readline()
client.put_item(TableName="ledger", Item={"pk": {"S": sys.argv[1]}})
print("alive", flush=True)
"""


def call_put_item(bench: Bench, key: str, *, mark: bool) -> tuple[int, str]:
    env = {
        "AWS_ENDPOINT_URL": bench.region.endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": bench.region.access_key,
        "AWS_SECRET_ACCESS_KEY": "x",
        "PYTHONPATH": str(ROOT),
        **({MARK: str(bench.region.state)} if mark else {}),
    }
    process = subprocess.run(
        [sys.executable, "-c", CALLER, key],
        input="\n",
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    return process.returncode, process.stdout


@pytest.mark.parametrize(("kind", "effect"), [("crash before", False), ("crash after", True)])
def test_a_program_of_the_stack_dies_before_or_after_its_call(
    bench: Bench, kind: str, *, effect: bool
) -> None:
    bench.plan(kind, service="dynamodb", operation="PutItem")

    assert call_put_item(bench, kind, mark=True) == (-9, "ready\n")

    bench.remote.put(NOTHING)
    assert bench.has_item(kind) is effect


def test_a_stranger_to_the_stack_is_never_killed(bench: Bench) -> None:
    bench.plan("crash before", probability=1)

    assert call_put_item(bench, "stranger", mark=False) == (0, "ready\nalive\n")
    assert bench.remote.injected() == {}


def test_a_program_inside_an_instance_dies_at_its_call(bench: Bench) -> None:
    script = (
        "#!/bin/sh\n"
        f"AWS_ACCESS_KEY_ID={bench.region.access_key} AWS_SECRET_ACCESS_KEY=x python3 -c '"
        'import boto3; print("calls", flush=True); boto3.client("s3").put_object('
        'Bucket="bucket", Key="from-inside", Body=b"x"); print("survived")\'\n'
        "echo status $?\n"
    )
    bench.plan("crash after", service="s3", operation="PutObject", resource="bucket")

    instance = bench.region.launch(UserData=script)

    console = bench.region.await_console(instance, "status 137")
    assert "survived" not in console
    bench.s3.head_object(Bucket="bucket", Key="from-inside")
    assert bench.region.describe(instance)["State"]["Name"] == "running"
    bench.ec2.terminate_instances(InstanceIds=[instance])
    bench.region.await_state(instance, "terminated")
