import json
import re
import shutil
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gridwell.local_stack.region.instance_lifecycle import Lifecycle, set_state
from tests.local_stack.conftest import Region
from tests.local_stack.machine.units import IMAGES

POWER_OFF = "#!/bin/sh\npoweroff\n"


def code(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def run(region: Region, **more: Any) -> Any:
    request = {"ImageId": region.base_image, "MinCount": 1, "MaxCount": 1} | more
    return region.ec2.run_instances(**request)["Instances"]


def terminate(region: Region, instances: list[Any]) -> None:
    ids = [instance["InstanceId"] for instance in instances]
    region.ec2.terminate_instances(InstanceIds=ids)
    for instance_id in ids:
        region.await_state(instance_id, "terminated")


def test_an_instance_is_pending_until_it_has_booted(region: Region) -> None:
    (instance,) = run(region)

    assert instance["State"]["Name"] == "pending"
    region.await_state(instance["InstanceId"], "running")
    terminate(region, [instance])


def test_start_while_stopping_is_an_incorrect_state(region: Region, launched: Any) -> None:
    instance = launched("stubborn")
    region.await_console(instance, "deaf")

    region.ec2.stop_instances(InstanceIds=[instance])

    assert region.describe(instance)["State"]["Name"] == "stopping"
    assert code(region.ec2.start_instances, InstanceIds=[instance]) == "IncorrectInstanceState"


@pytest.mark.parametrize(
    ("attribute", "call"),
    [("DisableApiStop", "stop_instances"), ("DisableApiTermination", "terminate_instances")],
)
def test_a_protected_instance_is_let_be(
    region: Region, launched: Any, attribute: str, call: str
) -> None:
    instance = launched()
    region.await_state(instance, "running")
    ec2: Any = region.ec2
    ec2.modify_instance_attribute(InstanceId=instance, **{attribute: {"Value": True}})

    assert code(getattr(ec2, call), InstanceIds=[instance]) == "OperationNotPermitted"
    assert region.describe(instance)["State"]["Name"] == "running"

    ec2.modify_instance_attribute(InstanceId=instance, **{attribute: {"Value": False}})
    getattr(ec2, call)(InstanceIds=[instance])


def test_a_terminated_instance_can_be_neither_started_nor_stopped(region: Region) -> None:
    instances = run(region)
    ids = [instances[0]["InstanceId"]]
    terminate(region, instances)

    assert code(region.ec2.start_instances, InstanceIds=ids) == "IncorrectInstanceState"
    assert code(region.ec2.stop_instances, InstanceIds=ids) == "IncorrectInstanceState"
    assert region.describe(ids[0])["State"]["Name"] == "terminated"


def test_one_bad_instance_fails_the_whole_call(region: Region, launched: Any) -> None:
    stopped = launched(UserData=POWER_OFF)
    region.await_state(stopped, "stopped")
    dead = run(region)
    terminate(region, dead)

    both = [stopped, dead[0]["InstanceId"]]

    assert code(region.ec2.start_instances, InstanceIds=both) == "IncorrectInstanceState"
    assert region.describe(stopped)["State"]["Name"] == "stopped"


def test_as_many_as_there_is_room_for_are_launched(region: Region) -> None:
    instances = run(region, MinCount=1, MaxCount=100)
    try:
        assert len(instances) == 12
        assert code(
            region.ec2.run_instances, ImageId=region.base_image, MinCount=1, MaxCount=1
        ) == ("InstanceLimitExceeded")
    finally:
        terminate(region, instances)


@pytest.mark.parametrize(("least", "most"), [(0, 1), (2, 1), (0, 0)])
def test_counts_that_make_no_sense_are_refused(region: Region, least: int, most: int) -> None:
    answer = code(
        region.ec2.run_instances, ImageId=region.base_image, MinCount=least, MaxCount=most
    )

    assert answer == "InvalidParameterValue"


def test_the_same_client_token_launches_once(region: Region) -> None:
    first = run(region, ClientToken="once")
    again = run(region, ClientToken="once")
    other = code(
        region.ec2.run_instances,
        ImageId=region.base_image,
        MinCount=1,
        MaxCount=2,
        ClientToken="once",
    )

    assert [i["InstanceId"] for i in again] == [i["InstanceId"] for i in first]
    assert other == "IdempotentParameterMismatch"
    terminate(region, first)


def test_without_a_client_token_each_call_launches(region: Region) -> None:
    instances = [*run(region), *run(region)]

    assert instances[0]["InstanceId"] != instances[1]["InstanceId"]
    terminate(region, instances)


def test_an_unknown_image_is_not_found(region: Region) -> None:
    answer = code(region.ec2.run_instances, ImageId="ami-0badbadbad", MinCount=1, MaxCount=1)

    assert answer == "InvalidAMIID.NotFound"


def test_user_data_beyond_16_kib_is_refused(region: Region) -> None:
    answer = code(
        region.ec2.run_instances,
        ImageId=region.base_image,
        MinCount=1,
        MaxCount=1,
        UserData="#!/bin/sh\n" + "#" * 16384,
    )

    assert answer == "InvalidParameterValue"


def test_an_unknown_instance_type_is_refused(region: Region) -> None:
    answer = code(
        region.ec2.run_instances,
        ImageId=region.base_image,
        MinCount=1,
        MaxCount=1,
        InstanceType="t99.huge",
    )

    assert answer.startswith("InvalidInstanceType")


TEMPLATE = {
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"RoleName": "node", "AssumeRolePolicyDocument": {}},
        },
        "Profile": {
            "Type": "AWS::IAM::InstanceProfile",
            "Properties": {"InstanceProfileName": "node", "Roles": [{"Ref": "Role"}]},
        },
        "Template": {
            "Type": "AWS::EC2::LaunchTemplate",
            "Properties": {
                "LaunchTemplateName": "node",
                "LaunchTemplateData": {
                    "ImageId": IMAGES["idle"].image_id,
                    "InstanceType": "t3.small",
                    "IamInstanceProfile": {"Arn": {"Fn::GetAtt": ["Profile", "Arn"]}},
                    "MetadataOptions": {
                        "HttpTokens": "required",
                        "InstanceMetadataTags": "enabled",
                    },
                    "InstanceInitiatedShutdownBehavior": "terminate",
                    "UserData": {"Fn::Base64": "#!/bin/sh\necho from the template\n"},
                    "TagSpecifications": [
                        {
                            "ResourceType": "instance",
                            "Tags": [{"Key": "gridwell:fleet", "Value": "f"}],
                        }
                    ],
                },
            },
        },
    }
}


def test_the_launch_template_applies_to_every_instance(region: Region) -> None:
    region.client("cloudformation").create_stack(
        StackName="node", TemplateBody=json.dumps(TEMPLATE), Capabilities=["CAPABILITY_NAMED_IAM"]
    )

    slot = [{"ResourceType": "instance", "Tags": [{"Key": "gridwell:slot", "Value": "07"}]}]
    instances = region.ec2.run_instances(
        LaunchTemplate={"LaunchTemplateName": "node"},
        MinCount=2,
        MaxCount=2,
        TagSpecifications=slot,
    )["Instances"]

    for instance in instances:
        seen = region.await_state(instance["InstanceId"], "running")
        tags = {tag["Key"]: tag["Value"] for tag in seen["Tags"]}
        behaviour = region.ec2.describe_instance_attribute(
            InstanceId=instance["InstanceId"], Attribute="instanceInitiatedShutdownBehavior"
        )
        assert seen["InstanceType"] == "t3.small"
        assert seen["IamInstanceProfile"]["Arn"].endswith("instance-profile/node")
        assert seen["MetadataOptions"]["HttpTokens"] == "required"
        assert tags["gridwell:fleet"] == "f"
        assert tags["gridwell:slot"] == "07"
        assert behaviour["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
        region.await_console(instance["InstanceId"], "from the template")
    terminate(region, instances)


def test_an_image_becomes_available_and_boots_with_what_was_baked(
    region: Region, launched: Any
) -> None:
    bake = "#!/bin/sh\necho baked > $GRIDWELL_HOME/note\nmkdir $GRIDWELL_HOME/run\n"
    builder = launched(UserData=bake + "touch $GRIDWELL_HOME/run/env\npoweroff\n")
    region.await_state(builder, "stopped")

    reply = region.ec2.create_image(InstanceId=builder, Name="baked")
    image = reply["ImageId"]
    region.ec2.get_waiter("image_available").wait(
        ImageIds=[image], WaiterConfig={"Delay": 0, "MaxAttempts": 500}
    )
    instance = launched(
        ImageId=image, UserData="#!/bin/sh\ncat $GRIDWELL_HOME/note; ls -a $GRIDWELL_HOME; echo .\n"
    )

    console = region.await_console(instance, "note")
    assert "baked" in console
    assert not re.search(r"^run$", console, re.MULTILINE)
    assert code(region.ec2.create_image, InstanceId=builder, Name="baked") == (
        "InvalidAMIName.Duplicate"
    )

    region.ec2.deregister_image(ImageId=image)

    assert code(region.ec2.run_instances, ImageId=image, MinCount=1, MaxCount=1) == (
        "InvalidAMIID.NotFound"
    )
    assert not (region.state / "images" / image).exists()


ENABLING = """#!/bin/sh
set -e
mkdir -p "$GRIDWELL_HOME/units"
cat > "$GRIDWELL_HOME/units/hello.service" <<'UNIT'
[Unit]
SuccessAction=poweroff
[Service]
ExecStart=/bin/sh -c 'echo hello from the image'
[Install]
WantedBy=multi-user.target
UNIT
apt-get update -qq
useradd --system gridwell
chown -R gridwell "$GRIDWELL_HOME"
systemctl daemon-reload
systemctl enable "$GRIDWELL_HOME/units/hello.service"
systemctl is-enabled hello.service
systemctl poweroff
"""


def test_a_unit_that_was_enabled_while_baking_runs_in_the_image(
    region: Region, launched: Any
) -> None:
    builder = launched(UserData=ENABLING)
    region.await_state(builder, "stopped")
    assert "hello from" not in region.console(builder)
    assert "\nenabled\n" in region.console(builder)

    image = region.ec2.create_image(InstanceId=builder, Name="enabling")["ImageId"]
    region.ec2.get_waiter("image_available").wait(
        ImageIds=[image], WaiterConfig={"Delay": 0, "MaxAttempts": 500}
    )
    instance = launched(ImageId=image)
    region.await_state(instance, "stopped")

    assert "hello from the image" in region.console(instance)
    region.ec2.deregister_image(ImageId=image)


def test_a_tag_given_while_an_image_is_pending_is_kept(region: Region, launched: Any) -> None:
    builder = launched(UserData=POWER_OFF)
    region.await_state(builder, "stopped")

    image = region.ec2.create_image(InstanceId=builder, Name="tagged")["ImageId"]
    region.ec2.create_tags(Resources=[image], Tags=[{"Key": "k", "Value": "v"}])
    region.ec2.get_waiter("image_available").wait(
        ImageIds=[image], WaiterConfig={"Delay": 0, "MaxAttempts": 500}
    )

    assert json.loads((region.state / f"images/{image}.json").read_text())["tags"] == {"k": "v"}
    region.ec2.deregister_image(ImageId=image)


def test_a_terminated_instance_is_forgotten_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    now = [1000.0]
    lifecycle = Lifecycle(
        account_id="000000000001", region="us-east-1", max_running=5, clock=lambda: now[0]
    )
    reservation = lifecycle.backend.run_instances(
        "ami-1", 2, None, [], is_instance_type_default=True, instance_type="t3.micro"
    )
    gone, kept = reservation.instances
    set_state(gone, "shutting-down")
    lifecycle.halted(gone.id)

    now[0] += 3600
    lifecycle.forget_terminated()
    assert lifecycle.find(gone.id).state == "terminated"

    now[0] += 1
    lifecycle.forget_terminated()
    assert lifecycle.find(gone.id) is None
    assert lifecycle.find(kept.id) is kept


def test_an_image_whose_disk_is_lost_fails_the_boot_with_a_server_reason(
    region: Region, launched: Any
) -> None:
    builder = launched(UserData=POWER_OFF)
    region.await_state(builder, "stopped")
    image = region.ec2.create_image(InstanceId=builder, Name="lost")["ImageId"]
    region.ec2.get_waiter("image_available").wait(
        ImageIds=[image], WaiterConfig={"Delay": 0, "MaxAttempts": 500}
    )
    shutil.rmtree(region.state / "images" / image)

    seen = region.await_state(launched(ImageId=image), "stopped")

    assert seen["StateReason"]["Code"] == "Server.InternalError"
    region.ec2.deregister_image(ImageId=image)
