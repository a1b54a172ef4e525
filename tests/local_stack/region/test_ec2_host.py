import os
import signal
import sys
import time
from typing import Any

import pytest

from gridwell.adapters.http_kill import HttpKill
from gridwell.engine.errors import WrongState
from gridwell.local_stack.machine import processes
from gridwell.local_stack.region.kill_endpoint import PATH
from tests.harness.waiting import await_true
from tests.local_stack.conftest import Region

BOTH = """MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=="

--==
Content-Type: text/cloud-boothook

#cloud-boothook
#!/bin/sh
echo boothook runs
mkdir -p "$GRIDWELL_HOME/run"
echo NUMBER=42 > "$GRIDWELL_HOME/run/env"

--==
Content-Type: text/x-shellscript

#!/bin/sh
echo script runs

--==--
"""


def test_a_worker_that_ends_with_0_powers_its_instance_off(region: Region, launched: Any) -> None:
    instance = launched("worker", UserData=BOTH)

    seen = region.await_state(instance, "stopped")

    assert seen["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    assert "work 42" in region.console(instance)


def test_a_started_instance_runs_its_boothook_again_but_not_its_script(
    region: Region, launched: Any
) -> None:
    instance = launched("worker", UserData=BOTH)
    first = region.await_state(instance, "stopped")
    time.sleep(max(0.0, 1.0 - time.time() % 1))  # LaunchTime has whole seconds

    region.ec2.start_instances(InstanceIds=[instance])
    console = region.await_console(instance, "work 42", times=2)
    again = region.await_state(instance, "stopped")

    assert console.count("boothook runs") == 2
    assert console.count("script runs") == 1
    assert again["LaunchTime"] > first["LaunchTime"]


def test_an_instance_whose_power_fails_is_stopped_with_a_server_reason(
    region: Region, launched: Any
) -> None:
    instance = launched("idle")
    region.await_console(instance, "up as")
    region.await_state(instance, "running")

    os.kill(region.pid(instance), signal.SIGKILL)

    seen = region.await_state(instance, "stopped")
    assert seen["StateReason"]["Code"] == "Server.InternalError"
    assert processes.marked("GRIDWELL_INSTANCE_FOLDER", str(region.folder(instance))) == []


def test_a_failed_instance_can_be_started_again(region: Region, launched: Any) -> None:
    instance = launched("idle")
    region.await_state(instance, "running")
    os.kill(region.pid(instance), signal.SIGKILL)
    region.await_state(instance, "stopped")

    region.ec2.start_instances(InstanceIds=[instance])

    region.await_state(instance, "running")


def test_exit_75_restarts_the_worker(region: Region, launched: Any) -> None:
    instance = launched("gives-back")

    region.await_state(instance, "stopped")

    console = region.console(instance)
    assert "status=75" in console
    assert "again" in console


def test_a_worker_that_never_starts_powers_off_at_its_start_limit(
    region: Region, launched: Any
) -> None:
    instance = launched("broken")

    region.await_state(instance, "stopped")

    console = region.console(instance)
    assert console.count("try\n") == 4
    assert "Start request repeated too quickly" in console


def test_a_worker_that_stops_feeding_its_watchdog_fails(region: Region, launched: Any) -> None:
    instance = launched("hangs")

    region.await_state(instance, "stopped")

    console = region.console(instance)
    assert "limit 400000" in console
    assert console.index("feeding ends") < console.index("Watchdog timeout (limit 0.4s)!")
    assert "Failed with 'watchdog'" in console


def test_what_a_unit_requires_must_have_started(region: Region, launched: Any) -> None:
    instance = launched("needs")

    console = region.await_console(instance, "Dependency failed for worker.service")

    assert "checked" in console
    assert "must not run" not in console


def test_stop_tells_the_worker_and_its_75_does_not_restart_it(
    region: Region, launched: Any
) -> None:
    instance = launched("chain")
    region.await_console(instance, "working")
    region.await_state(instance, "running")

    region.ec2.stop_instances(InstanceIds=[instance])
    seen = region.await_state(instance, "stopped")

    console = region.console(instance)
    assert seen["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert "worker told" in console
    assert console.index("checked") < console.index("working")
    assert console.count("working") == 1


def test_the_console_warns_of_what_a_unit_asks_in_vain(region: Region, launched: Any) -> None:
    instance = launched("chain")

    console = region.await_console(instance, "working")

    assert "User=gridwell is not modelled" in console
    assert "Unknown key name 'Fancy' in section 'Service'" in console
    assert "NoNewPrivileges" not in console


def test_a_stubborn_worker_and_its_runaway_child_are_killed(region: Region, launched: Any) -> None:
    instance = launched("stubborn")
    region.await_console(instance, "deaf")
    region.await_state(instance, "running")

    region.ec2.stop_instances(InstanceIds=[instance])
    region.await_state(instance, "stopped")

    assert "timed out. Killing" in region.console(instance)
    assert processes.marked("GRIDWELL_INSTANCE_FOLDER", str(region.folder(instance))) == []


def test_force_does_not_wait_for_an_orderly_shutdown(region: Region, launched: Any) -> None:
    instance = launched("chain")
    region.await_console(instance, "working")
    region.await_state(instance, "running")

    region.ec2.stop_instances(InstanceIds=[instance], Force=True)

    region.await_state(instance, "stopped")


def test_force_ends_a_shutdown_that_hangs(region: Region, launched: Any) -> None:
    instance = launched("deaf")
    region.await_console(instance, "deaf")
    region.await_state(instance, "running")
    region.ec2.stop_instances(InstanceIds=[instance])

    region.ec2.stop_instances(InstanceIds=[instance], Force=True)

    region.await_state(instance, "stopped")
    log = (region.state / "cloud.log").read_text()
    assert f"instance {instance} did not shut down in" not in log  # nor was that waited for


def test_a_reboot_keeps_the_instance_running_and_boots_it_again(
    region: Region, launched: Any
) -> None:
    instance = launched("idle")
    region.await_console(instance, "up as")
    region.await_state(instance, "running")

    region.ec2.reboot_instances(InstanceIds=[instance])

    console = region.await_console(instance, "up as", times=2)
    assert console.count("Booting") == 2
    assert region.describe(instance)["State"]["Name"] == "running"


def test_a_boothook_that_calls_systemctl_is_refused(region: Region, launched: Any) -> None:
    hook = "#cloud-boothook\n#!/bin/sh\nsystemctl daemon-reload || echo refused\n"

    instance = launched(UserData=hook)

    assert "waits for the boot to end" in region.await_console(instance, "refused")


def test_gzip_user_data_is_named_on_the_console(region: Region, launched: Any) -> None:
    instance = launched(UserData=b"\x1f\x8b\x08\x00rest")

    region.await_console(instance, "user data is gzip")


def test_an_unknown_privileged_command_fails_clearly(region: Region, launched: Any) -> None:
    script = "#!/bin/sh\nsystemctl restart sshd; echo status $?\n"
    script += "apt-get install -qq -y nonesuch; echo $?\n"

    instance = launched(UserData=script)

    console = region.await_console(instance, "100")
    assert "does not know `systemctl restart sshd`" in console
    assert "status 1" in console
    assert "sudo apt-get install nonesuch" in console


def test_an_instance_inherits_nothing_from_our_environment(region: Region, launched: Any) -> None:
    instance = launched(UserData="#!/bin/sh\nenv\necho done\n")

    console = region.await_console(instance, "done")

    names = {line.partition("=")[0] for line in console.splitlines() if "=" in line}
    folder = str(region.folder(instance))
    assert not {name for name in names if name.startswith("PYTHON") or "ACCESS_KEY" in name}
    assert f"HOME={folder}/root" in console
    assert f"GRIDWELL_HOME={folder}/opt/gridwell" in console
    assert "AWS_CONFIG_FILE=/dev/null" in console


def test_an_instance_that_is_terminated_leaves_no_folder(region: Region) -> None:
    instance = region.launch("idle")
    region.await_state(instance, "running")

    region.ec2.terminate_instances(InstanceIds=[instance])
    region.await_state(instance, "terminated")

    await_true(lambda: not region.folder(instance).exists())


def test_shutdown_behaviour_terminate_ends_the_instance_for_good(region: Region) -> None:
    instance = region.launch(
        UserData="#!/bin/sh\npoweroff\n", InstanceInitiatedShutdownBehavior="terminate"
    )

    seen = region.await_state(instance, "terminated")

    assert seen["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


@pytest.mark.parametrize("round_number", range(3))
def test_a_stop_and_start_in_quick_succession_are_both_carried_out(
    region: Region, launched: Any, round_number: int
) -> None:
    instance = launched("idle")
    region.await_console(instance, "up as")
    region.await_state(instance, "running")

    region.ec2.stop_instances(InstanceIds=[instance])
    region.await_state(instance, "stopped")
    region.ec2.start_instances(InstanceIds=[instance])

    region.await_console(instance, "up as", times=2)
    region.await_state(instance, "running")


def test_boto3_in_an_instance_finds_its_role_through_the_metadata_service(
    region: Region, launched: Any
) -> None:
    iam = region.client("iam")
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName="worker")
    iam.add_role_to_instance_profile(InstanceProfileName="worker", RoleName="worker")
    program = "import boto3; c = boto3.Session().get_credentials(); print(c.method, 'ok')"

    instance = launched(
        UserData=f'#!/bin/sh\n{sys.executable} -c "{program}"\n',
        IamInstanceProfile={"Name": "worker"},
    )

    region.await_console(instance, "iam-role ok")


def test_a_deadline_ends_a_machine_whose_boothook_hangs(region: Region, launched: Any) -> None:
    instance = launched("deadline", UserData="#cloud-boothook\n#!/bin/sh\nsleep 600\n")

    region.await_state(instance, "stopped")

    console = region.console(instance)
    assert "waiting" in console
    assert "must not run" not in console
    assert "not modelled" not in console
    assert "ignoring" not in console


def test_a_failure_action_is_taken_though_the_unit_would_be_started_again(
    region: Region, launched: Any
) -> None:
    instance = launched("fails-once")

    region.await_state(instance, "stopped")

    assert region.console(instance).count("try") == 1


@pytest.mark.parametrize("end", ["unreachable", "unfit"])
def test_a_status_that_counts_as_success_powers_off_and_starts_nothing_again(
    region: Region, launched: Any, end: str
) -> None:
    instance = launched(end)

    region.await_state(instance, "stopped")

    assert region.console(instance).count("try") == 1


def test_an_instance_killed_on_request_ends_like_broken_hardware(
    region: Region, launched: Any
) -> None:
    instance = launched("idle")
    region.await_state(instance, "running")

    HttpKill(region.endpoint + PATH, key=region.access_key)(instance)

    seen = region.await_state(instance, "stopped")
    assert seen["StateReason"]["Code"] == "Server.InternalError"
    with pytest.raises(WrongState, match="no machine of an instance"):
        HttpKill(region.endpoint + PATH, key=region.access_key)(instance)
