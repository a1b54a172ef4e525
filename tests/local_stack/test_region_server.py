import http.client
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gridwell.local_stack.machine import processes
from tests.harness.waiting import DEADLINE, await_true
from tests.local_stack.conftest import Region, make_images, running_region

#: No `unshare` on it: the host must do without namespaces.
NO_NAMESPACES = {"PATH": "/nonexistent"}
RUNAWAY = "#!/bin/sh\nsetsid sh -c 'setsid sleep 60 & sleep 60' &\necho set off\n"


def processes_of(region: Region) -> list[int]:
    """All processes whose environment names the region's folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if f"{region.state}/instances".encode() in environment:
            found.append(int(folder.name))
    return found


def await_nothing_left(region: Region) -> None:
    await_true(lambda: not processes_of(region))


@pytest.mark.parametrize("env", [{}, NO_NAMESPACES], ids=["namespaces", "without"])
def test_nothing_survives_the_death_of_the_cloud_process(
    tmp_path: Path, env: dict[str, str]
) -> None:
    make_images(tmp_path)
    with running_region(tmp_path, **env) as region:
        runaway, unit = region.launch(UserData=RUNAWAY), region.launch("stubborn")
        region.await_console(runaway, "set off")
        region.await_console(unit, "deaf")
        assert len(processes_of(region)) >= 5

        region.process.kill()
        region.process.wait()

        await_nothing_left(region)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_survives_the_orderly_end_of_the_cloud_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    with running_region(tmp_path) as region:
        runaway = region.launch(UserData=RUNAWAY)
        region.await_console(runaway, "set off")

        region.process.send_signal(number)

        assert region.process.wait(DEADLINE) == 0
        assert processes_of(region) == []
        assert list((tmp_path / "instances").iterdir()) == []


def test_the_end_of_the_cloud_process_waits_for_no_orderly_shutdown(tmp_path: Path) -> None:
    make_images(tmp_path)
    with running_region(tmp_path) as region:
        instance = region.launch("deaf")
        region.await_console(instance, "deaf")
        region.await_state(instance, "running")
        region.ec2.stop_instances(InstanceIds=[instance])
        region.await_console(instance, "Powering off")

        region.process.send_signal(signal.SIGTERM)

        assert region.process.wait(DEADLINE) == 0  # an orderly shutdown is given 40 s
        assert processes_of(region) == []


def test_without_namespaces_nothing_survives_its_instance(tmp_path: Path) -> None:
    with running_region(tmp_path, **NO_NAMESPACES) as region:
        stopped, killed = region.launch(UserData=RUNAWAY), region.launch(UserData=RUNAWAY)
        for instance in (stopped, killed):
            region.await_console(instance, "set off")
            region.await_state(instance, "running")

        region.ec2.stop_instances(InstanceIds=[stopped])
        os.kill(region.pid(killed), signal.SIGKILL)

        region.await_state(stopped, "stopped")
        seen = region.await_state(killed, "stopped")
        assert seen["StateReason"]["Code"] == "Server.InternalError"
        for instance in (stopped, killed):
            mark = str(region.folder(instance))
            assert processes.marked("GRIDWELL_INSTANCE_FOLDER", mark) == []


def test_the_cloud_process_ends_with_whoever_holds_its_standard_input(tmp_path: Path) -> None:
    command = ["-P", "-m", "gridwell.local_stack.region_server", "--state", str(tmp_path)]
    with subprocess.Popen(
        [sys.executable, *command, "--die-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline()

        process.stdin.close()

        assert process.wait(DEADLINE) == 0


def test_a_second_region_in_the_same_folder_is_refused(region: Region) -> None:
    second = subprocess.run(
        [
            sys.executable,
            "-P",
            "-m",
            "gridwell.local_stack.region_server",
            "--state",
            str(region.state),
        ],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )

    assert second.returncode == 1
    assert "another region runs in" in second.stderr


def test_a_connection_serves_several_requests(region: Region) -> None:
    host, port = region.endpoint.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=DEADLINE)
    headers = {
        "Authorization": region.credential("ec2"),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    connection.connect()
    first = connection.sock

    for _ in range(3):
        connection.request("POST", "/", "Action=DescribeRegions&Version=2016-11-15", headers)
        reply = connection.getresponse()
        assert b"us-east-1" in reply.read()
        assert reply.status == 200

    assert connection.sock is first
    connection.close()


def test_a_large_object_survives_the_round_trip(region: Region) -> None:
    s3 = region.client("s3")
    s3.create_bucket(Bucket="large-objects")
    body = os.urandom(3_000_000)

    s3.put_object(Bucket="large-objects", Key="k", Body=body)

    assert s3.get_object(Bucket="large-objects", Key="k")["Body"].read() == body
    assert s3.head_object(Bucket="large-objects", Key="k")["ContentLength"] == len(body)


def test_many_idle_long_polls_do_not_hold_up_other_calls(region: Region) -> None:
    sqs = region.client("sqs")
    url = sqs.create_queue(QueueName="idle")["QueueUrl"]
    headers = {
        "X-Amz-Target": "AmazonSQS.ReceiveMessage",
        "Content-Type": "application/x-amz-json-1.0",
        "Authorization": region.credential("sqs"),
    }
    host, port = region.endpoint.removeprefix("http://").split(":")
    body = f'{{"QueueUrl": "{url}", "WaitTimeSeconds": 20}}'
    request = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    request += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request += f"Content-Length: {len(body)}\r\n\r\n{body}"
    waiting = [socket.create_connection((host, int(port))) for _ in range(100)]
    for connection in waiting:
        connection.sendall(request.encode())

    sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])

    answered, _, _ = select.select(waiting, [], [], 0)
    assert answered == []  # the polls still wait
    for connection in waiting:
        connection.close()
