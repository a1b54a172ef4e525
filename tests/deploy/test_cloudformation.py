"""The stack: what CloudFormation makes of it here, what moto leaves out, and who may do what."""

from __future__ import annotations

import fnmatch
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cfnlint.decode.cfn_yaml import loads  # type: ignore[import-untyped]  # ships no types

from gridwell.adapters.dynamodb import access_ledger, audit_log, secret, suspects
from gridwell.adapters.dynamodb.fleet_items import lease_key, slot_key
from gridwell.adapters.dynamodb.fleet_ledger import DynamoFleetLedger
from gridwell.adapters.dynamodb.job_items import job_key
from gridwell.adapters.dynamodb.sessions import session_key
from gridwell.adapters.dynamodb.task_failures import _key as _failure_key
from gridwell.adapters.dynamodb.task_progress import found_key
from gridwell.deploy import cloudformation as stack
from gridwell.deploy.cloudformation import (
    _OPTIONAL,
    _SETTINGS,
    create_or_update,
    environment_of,
    parameter_names,
    template,
)
from gridwell.engine.errors import ServiceError
from gridwell.engine.object_keys import answer_object, problem_object, record_object
from gridwell.kinds.grid.map_objects import map_digests_object, map_object
from tests.local_stack.conftest import ROOT, Region, client, running_region
from web_tier.collector.heartbeat import collector_name

if TYPE_CHECKING:
    from collections.abc import Iterator

FLEET = "stacked"
RELEASE = "ab" * 32
FORMER = "  Former:\n    Type: String\n"  #: a parameter of an earlier template
TEMPLATE: dict[str, Any] = loads(template())
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]

#: What moto makes, and a test below or elsewhere would miss.
MADE = {
    "AWS::DynamoDB::Table": {
        *("AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema"),
        *("PointInTimeRecoverySpecification", "SSESpecification", "TableName"),
    },
    "AWS::EC2::LaunchTemplate": {"LaunchTemplateData", "LaunchTemplateName"},
    "AWS::EC2::SecurityGroup": {"GroupDescription", "VpcId"},
    "AWS::IAM::InstanceProfile": {"Roles"},
    "AWS::IAM::Policy": {"PolicyDocument", "PolicyName", "Roles"},
    "AWS::IAM::Role": {"AssumeRolePolicyDocument", "Policies"},
    "AWS::S3::Bucket": {"BucketEncryption", "BucketName"},
    "AWS::SNS::Topic": {"TopicName"},
    "AWS::SQS::Queue": {
        *("MaximumMessageSize", "MessageRetentionPeriod", "QueueName", "RedrivePolicy"),
        *("SqsManagedSseEnabled", "VisibilityTimeout"),
    },
}
#: What moto reads without a word and does not make: tried on AWS only.  A test below notices when
#: a new moto makes one of them; a new line of the template must be put into one list or the other.
SKIPPED = {
    "AWS::S3::BucketPolicy": {"Bucket", "PolicyDocument"},
    "AWS::DynamoDB::Table": {"TimeToLiveSpecification"},
    "AWS::EC2::SecurityGroup": {"SecurityGroupEgress"},
    "AWS::S3::Bucket": {
        *("LifecycleConfiguration", "OwnershipControls", "PublicAccessBlockConfiguration"),
        "VersioningConfiguration",
    },
    "AWS::SNS::TopicPolicy": {"PolicyDocument", "Topics"},
    "AWS::SQS::QueuePolicy": {"PolicyDocument", "Queues"},
}


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    with running_region(tmp_path_factory.mktemp("deploy")) as region:
        yield region


def bring_up(region: Region, fleet: str = FLEET, **parameters: str) -> dict[str, str]:
    return create_or_update(region.client("cloudformation"), fleet, parameters, poll_seconds=1)


@pytest.fixture(scope="module")
def outputs(region: Region) -> dict[str, str]:
    return bring_up(region, WorkerImage=region.base_image, Release=RELEASE, WorkerUserData="eA==")


def launch_templates(region: Region, fleet: str) -> list[dict[str, Any]]:
    reply = region.ec2.describe_launch_templates(
        Filters=[{"Name": "launch-template-name", "Values": [f"{fleet}-worker"]}]
    )
    found: list[dict[str, Any]] = reply["LaunchTemplates"]
    return found


def statements(role: str) -> list[dict[str, Any]]:
    return [
        statement
        for policy in RESOURCES[role]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def actions(role: str) -> set[str]:
    return {action for statement in statements(role) for action in listed(statement["Action"])}


ROLES = [name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::IAM::Role"]


def test_cfn_lint_finds_nothing() -> None:
    file = ROOT / "gridwell/deploy/stack.yaml"
    run = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), file],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (run.returncode, run.stdout + run.stderr) == (0, "")


# What becomes of it.


def test_a_stack_without_an_image_has_no_launch_template_until_one_is_baked(
    region: Region,
) -> None:
    fleet = "young"

    first = bring_up(region, fleet)
    assert launch_templates(region, fleet) == []

    second = bring_up(region, fleet, WorkerImage=region.base_image, Release=RELEASE)
    assert len(launch_templates(region, fleet)) == 1
    assert first == second


def test_bringing_a_stack_up_again_changes_nothing(region: Region, outputs: dict[str, str]) -> None:
    again = bring_up(region, WorkerImage=region.base_image, Release=RELEASE, WorkerUserData="eA==")

    assert again == outputs


def test_a_new_release_reaches_the_launch_template(region: Region) -> None:
    fleet = "renewed"
    for release in (RELEASE, "cd" * 32):
        bring_up(region, fleet, WorkerImage=region.base_image, Release=release)

    reply = region.ec2.describe_launch_template_versions(
        LaunchTemplateName=f"{fleet}-worker", Versions=["$Latest"]
    )
    (version,) = reply["LaunchTemplateVersions"]
    tags = version["LaunchTemplateData"]["TagSpecifications"][0]["Tags"]
    assert {"Key": "gridwell:release", "Value": "cd" * 32} in tags


def test_an_update_resets_no_parameter_that_it_does_not_name(region: Region) -> None:
    fleet = "steady"
    first = bring_up(region, fleet, JobEvents="yes", WorkerInstanceType="c7i.xlarge")

    second = bring_up(region, fleet, WorkerImage=region.base_image, Release=RELEASE)
    third = bring_up(region, fleet, JobEvents="no")

    assert second["EventsTopic"] == first["EventsTopic"]
    assert "EventsTopic" not in third
    (found,) = region.client("cloudformation").describe_stacks(StackName=fleet)["Stacks"]
    kept = {one["ParameterKey"]: one["ParameterValue"] for one in found["Parameters"]}
    assert kept["WorkerInstanceType"] == "c7i.xlarge"
    assert (kept["WorkerImage"], kept["Release"]) == (region.base_image, RELEASE)


def test_a_parameter_that_the_template_no_longer_has_is_not_asked_for(
    region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet, former = "slimmer", template().replace("Parameters:\n", "Parameters:\n" + FORMER, 1)
    monkeypatch.setattr(stack, "template", lambda: former)
    bring_up(region, fleet, Former="x", WorkerImage=region.base_image)
    monkeypatch.undo()
    asked: list[dict[str, Any]] = []
    cloudformation = region.client("cloudformation")
    cloudformation.meta.events.register(
        "provide-client-params.cloudformation.UpdateStack",
        lambda params, **_: asked.extend(params["Parameters"]),
    )

    create_or_update(cloudformation, fleet, {"JobEvents": "yes"}, poll_seconds=1)

    # AWS would refuse it; moto would not mind.
    assert {one["ParameterKey"] for one in asked} == set(TEMPLATE["Parameters"])


def test_the_names_of_parameters_are_those_that_a_reader_of_yaml_finds() -> None:
    assert parameter_names(template()) == list(TEMPLATE["Parameters"])


def test_the_launch_template_makes_instances_that_need_tokens_and_stop_at_poweroff(
    region: Region, outputs: dict[str, str]
) -> None:
    reply = region.ec2.describe_launch_template_versions(
        LaunchTemplateName=outputs["LaunchTemplate"], Versions=["$Latest"]
    )
    data = reply["LaunchTemplateVersions"][0]["LaunchTemplateData"]

    assert data["ImageId"] == region.base_image
    assert data["UserData"] == "eA=="
    assert data["InstanceInitiatedShutdownBehavior"] == "stop"
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    (disk,) = data["BlockDeviceMappings"]
    assert disk["Ebs"]["Encrypted"] is True
    assert {kind["ResourceType"] for kind in data["TagSpecifications"]} == {"instance", "volume"}


def test_the_outputs_tell_the_tiers_the_names_of_what_is_there(
    region: Region, outputs: dict[str, str]
) -> None:
    settings = environment_of(outputs)

    assert set(settings) == set(_SETTINGS.values())
    assert settings["GRIDWELL_FLEET"] == FLEET
    for name in ("CHUNKS", "RESULTS", "DEAD_CHUNKS", "DEAD_RESULTS"):
        region.client("sqs").get_queue_url(QueueName=settings[f"GRIDWELL_{name}_QUEUE"])
    region.client("dynamodb").describe_table(TableName=settings["GRIDWELL_LEDGER_TABLE"])
    region.client("s3").head_bucket(Bucket=settings["GRIDWELL_BUCKET"])
    assert (
        launch_templates(region, FLEET)[0]["LaunchTemplateName"]
        == (settings["GRIDWELL_LAUNCH_TEMPLATE"])
    )


def test_every_output_is_a_setting_and_every_setting_an_output() -> None:
    assert set(TEMPLATE["Outputs"]) == set(_SETTINGS) | set(_OPTIONAL)


def test_a_topic_of_job_events_is_there_when_a_parameter_says_so_for_the_web_role_alone(
    region: Region, outputs: dict[str, str]
) -> None:
    told = bring_up(region, "telling", JobEvents="yes")

    assert "EventsTopic" not in outputs
    arn = environment_of(told)["GRIDWELL_EVENTS_TOPIC"]
    assert arn.endswith(":telling-events")
    region.client("sns").get_topic_attributes(TopicArn=arn)
    policy = RESOURCES["PublishPolicy"]["Properties"]
    assert policy["Roles"] == [{"Ref": "WebRole"}]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("sns:Publish", {"Ref": "Events"})


@pytest.mark.parametrize(
    ("queue", "dead"), [("chunks", "dead-chunks"), ("results", "dead-results")]
)
def test_a_message_that_ten_receivers_could_not_use_goes_to_the_dead(
    region: Region, outputs: dict[str, str], queue: str, dead: str
) -> None:
    sqs = region.client("sqs")

    def read(name: str) -> dict[str, str]:
        url = sqs.get_queue_url(QueueName=f"{FLEET}-{name}")["QueueUrl"]
        attributes: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
            "Attributes"
        ]
        return attributes

    live, grave = read(queue), read(dead)
    assert f'"deadLetterTargetArn": "{grave["QueueArn"]}"' in live["RedrivePolicy"]
    assert '"maxReceiveCount": 10' in live["RedrivePolicy"]
    assert live["MaximumMessageSize"] == grave["MaximumMessageSize"] == "8192"
    assert live["VisibilityTimeout"] == "60"
    # A dead letter keeps its first date: it must not expire the day it dies.
    assert int(grave["MessageRetentionPeriod"]) > int(live["MessageRetentionPeriod"])


def test_the_ledger_has_its_two_indexes(region: Region, outputs: dict[str, str]) -> None:
    table = region.client("dynamodb").describe_table(TableName=outputs["LedgerTable"])["Table"]
    indexes = {index["IndexName"]: index for index in table["GlobalSecondaryIndexes"]}

    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert set(indexes) == {"unfinished", "by_client"}
    assert [key["AttributeName"] for key in indexes["unfinished"]["KeySchema"]] == [
        "unfinished",
        "client",
    ]
    assert [key["AttributeName"] for key in indexes["by_client"]["KeySchema"]] == [
        "client",
        "created",
    ]


def test_a_cloudformation_that_does_not_answer_is_told_in_words() -> None:
    nobody = client("http://127.0.0.1:9", "cloudformation", "test")

    with pytest.raises(ServiceError, match="stack blue was not brought up to date"):
        create_or_update(nobody, "blue", {})


# What moto leaves out.


def test_a_new_type_or_property_is_put_into_one_of_the_two_lists() -> None:
    used: dict[str, set[str]] = {}
    for resource in RESOURCES.values():
        used.setdefault(resource["Type"], set()).update(resource["Properties"])

    assert used == {
        kind: MADE.get(kind, set()) | SKIPPED.get(kind, set()) for kind in MADE.keys() | SKIPPED
    }


def test_what_moto_is_said_to_skip_it_still_skips(region: Region, outputs: dict[str, str]) -> None:
    s3, bucket = region.client("s3"), {"Bucket": outputs["Bucket"]}
    table = {"TableName": outputs["LedgerTable"]}

    def is_there(call: Any, **request: str) -> bool:
        try:
            call(**request)
        except s3.exceptions.ClientError:
            return False
        return True

    live = region.client("dynamodb").describe_time_to_live(**table)["TimeToLiveDescription"]
    (group,) = region.ec2.describe_security_groups(
        Filters=[{"Name": "description", "Values": ["Gridwell workers listen to nobody"]}]
    )["SecurityGroups"][:1]
    sqs, sns = region.client("sqs"), region.client("sns")
    url = sqs.get_queue_url(QueueName=outputs["ChunksQueue"])["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    arn = bring_up(region, "skipping", JobEvents="yes")["EventsTopic"]
    topic = sns.get_topic_attributes(TopicArn=arn)
    made = {
        "Bucket": is_there(s3.get_bucket_policy, **bucket),
        "PolicyDocument": is_there(s3.get_bucket_policy, **bucket),
        "LifecycleConfiguration": is_there(s3.get_bucket_lifecycle_configuration, **bucket),
        "OwnershipControls": is_there(s3.get_bucket_ownership_controls, **bucket),
        "PublicAccessBlockConfiguration": is_there(s3.get_public_access_block, **bucket),
        "TimeToLiveSpecification": live["TimeToLiveStatus"] == "ENABLED",
        "VersioningConfiguration": "Status" in s3.get_bucket_versioning(**bucket),
        "SecurityGroupEgress": [rule.get("ToPort") for rule in group["IpPermissionsEgress"]]
        == [443, 443],
        "Queues": "Policy" in queue["Attributes"],
        "Topics": "SecureTransport" in topic["Attributes"].get("Policy", ""),
    }

    assert made == dict.fromkeys(set[str]().union(*SKIPPED.values()), False)


# Who may do what.


@pytest.mark.parametrize("role", ROLES)
def test_no_role_has_a_whole_service(role: str) -> None:
    assert not [action for action in actions(role) if "*" in action]


@pytest.mark.parametrize("role", ROLES)
def test_only_what_ec2_can_narrow_no_further_is_allowed_on_everything(role: str) -> None:
    wide = [each for each in statements(role) if "*" in listed(each["Resource"])]

    for statement in wide:
        assert all(action.startswith("ec2:Describe") for action in listed(statement["Action"]))
    lines = [line for line in template().splitlines() if 'Resource: "*"' in line]
    assert all("#" in line for line in lines)


def test_a_worker_has_no_power_over_machines_or_roles_and_writes_only_heartbeat_and_maps() -> None:
    assert actions("WorkerRole") == {
        "sqs:GetQueueUrl",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:SendMessage",
        "dynamodb:GetItem",
        "dynamodb:BatchGetItem",
        "dynamodb:PutItem",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
    }
    (store,) = (one for one in statements("WorkerRole") if one["Action"] == "s3:PutObject")
    assert store["Resource"] == {"Fn::Sub": "${Bucket.Arn}/maps/*"}
    (put,) = (
        one
        for one in statements("WorkerRole")
        if "dynamodb:PutItem" in one["Action"] and one["Effect"] == "Allow"
    )
    assert put["Condition"] == {
        "ForAllValues:StringLike": {
            "dynamodb:LeadingKeys": ["worker#${ec2:SourceInstanceARN}", "worker#series#*"]
        },
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
    assert fnmatch.fnmatchcase(found_key("job", "attempt")["pk"]["S"], "worker#series#*")


def test_a_worker_writes_the_heartbeat_of_its_own_instance_alone() -> None:
    own, other = (f"arn:aws:ec2:us-east-1:123456789012:instance/i-{k:017x}" for k in (1, 2))
    policy = writable("WorkerRole", "dynamodb:PutItem")

    # As IAM fills it in for credentials that the instance got of its profile.
    allowed = {pattern.replace("${ec2:SourceInstanceARN}", own) for pattern in policy}

    assert is_among(allowed, {"pk": {"S": f"worker#{own}"}})
    assert not is_among(allowed, {"pk": {"S": f"worker#{other}"}})
    assert not is_among(allowed, {"pk": {"S": f"worker#{collector_name('f')}"}})


@pytest.mark.parametrize("role", ROLES)
def test_what_holds_for_all_keys_holds_for_a_request_without_any(role: str) -> None:
    for statement in statements(role):
        condition = statement.get("Condition", {})
        if any(name.startswith("ForAllValues:") for name in condition):
            assert condition["Null"] == {"dynamodb:LeadingKeys": "false"}


def writable(role: str, action: str) -> set[str]:
    """The items of the ledger that a role may write, as patterns of their keys."""
    (allowed,) = (
        one
        for one in statements(role)
        if action in listed(one["Action"]) and one["Effect"] == "Allow"
    )
    assert allowed["Resource"] == {"Fn::GetAtt": ["Ledger", "Arn"]}
    return set(allowed["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"])


def test_the_autoscaler_writes_its_lease_its_slots_and_its_view_alone() -> None:
    allowed = writable("AutoscalerRole", "dynamodb:PutItem")

    assert allowed == {"fleet#*", "lease#*", "slot#*"}
    assert "dynamodb:UpdateItem" not in actions("AutoscalerRole")
    written = (lease_key("f"), slot_key("f", 3), fleet_ledger()._view_key)
    assert all(is_among(allowed, key) for key in written)
    # An operator's, who records it with rights of their own.
    assert not is_among(allowed, fleet_ledger()._control_key)


@pytest.mark.parametrize("action", ["dynamodb:PutItem", "dynamodb:UpdateItem"])
def test_the_web_tier_writes_what_is_its_own_and_nothing_of_the_fleet(action: str) -> None:
    allowed = writable("WebRole", action)

    written = (
        job_key("a" * 32),
        _failure_key("a" * 32, "b" * 16, 7),
        access_ledger._spent_of("alice", 20_000),
        session_key("d" * 64),
        secret._KEY,
        suspects._key("arn:aws:ec2:us-east-1:1:instance/i-1"),
        {"pk": {"S": f"worker#{collector_name('f')}"}},
    )
    assert all(is_among(allowed, key) for key in written)
    assert len(allowed) == len(written)
    fleet = (lease_key("f"), slot_key("f", 3), *vars(fleet_ledger()).values())
    assert not [key for key in fleet if isinstance(key, dict) and is_among(allowed, key)]
    assert not is_among(allowed, {"pk": {"S": "worker#arn:aws:ec2:us-east-1:1:instance/i-1"}})


def test_a_worker_gives_no_collectors_sign_of_life() -> None:
    (statement,) = (
        one
        for one in statements("WorkerRole")
        if one["Effect"] == "Deny" and listed(one["Action"]) == ["dynamodb:PutItem"]
    )

    assert statement["Condition"] == {
        "ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["worker#collector/*"]}
    }
    assert fnmatch.fnmatchcase(f"worker#{collector_name('f')}", "worker#collector/*")
    assert not fnmatch.fnmatchcase(found_key("job", "attempt")["pk"]["S"], "worker#collector/*")


def fleet_ledger() -> DynamoFleetLedger:
    return DynamoFleetLedger(client("http://127.0.0.1:9", "dynamodb", "test"), "table", "f")


def is_among(patterns: set[str], key: Any) -> bool:
    """Whether an item's key is one of those that patterns name."""
    return any(fnmatch.fnmatchcase(key["pk"]["S"], pattern) for pattern in patterns)


@pytest.mark.parametrize(
    ("policy", "action", "on"),
    [
        ("QueuePolicy", "sqs:*", ["Chunks", "DeadChunks", "Results", "DeadResults"]),
        ("TopicPolicy", "sns:Publish", ["Events"]),
        ("BucketPolicy", "s3:*", ["Bucket"]),
    ],
)
def test_what_is_not_encrypted_on_its_way_is_denied(
    policy: str, action: str, on: list[str]
) -> None:
    properties = RESOURCES[policy]["Properties"]
    (statement,) = (
        one for one in properties["PolicyDocument"]["Statement"] if one["Sid"] == "SecureTransport"
    )

    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Action"] == action
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    named = next(properties[kind] for kind in ("Queues", "Topics", "Bucket") if kind in properties)
    assert listed(named) == [{"Ref": name} for name in on]
    kinds = {
        "AWS::S3::Bucket": "BucketPolicy",
        "AWS::SNS::Topic": "TopicPolicy",
        "AWS::SQS::Queue": "QueuePolicy",
    }
    alike = [name for name, one in RESOURCES.items() if kinds.get(one["Type"]) == policy]
    assert sorted(alike) == sorted(on)


def test_workers_reach_nothing_but_tls() -> None:
    rules = RESOURCES["WorkerSecurityGroup"]["Properties"]["SecurityGroupEgress"]

    assert {(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in rules} == {
        ("tcp", 443, 443)
    }
    assert "SecurityGroupIngress" not in RESOURCES["WorkerSecurityGroup"]["Properties"]


def test_what_was_replaced_in_the_bucket_is_kept_for_a_week_and_no_longer() -> None:
    properties = RESOURCES["Bucket"]["Properties"]
    rules = {rule["Id"]: rule for rule in properties["LifecycleConfiguration"]["Rules"]}

    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert rules["versions"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}
    assert "Prefix" not in rules["versions"]


def test_the_web_tier_may_take_dead_letters_and_send_them_again() -> None:
    def may(action: str) -> set[str]:
        return {
            resource["Fn::GetAtt"][0]
            for one in statements("WebRole")
            if action in listed(one["Action"])
            for resource in listed(one["Resource"])
        }

    assert may("sqs:SendMessage") == {"Chunks", "Results"}
    for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"):
        assert may(action) == {"Results", "DeadChunks", "DeadResults"}


def denial(role: str, keys: str) -> Any:
    """The statement that denies a role items of the ledger."""
    (statement,) = (
        one
        for one in statements(role)
        if one["Effect"] == "Deny"
        and keys in one["Condition"]["ForAnyValue:StringLike"]["dynamodb:LeadingKeys"]
    )
    return statement


@pytest.mark.parametrize(
    ("role", "denied"),
    [
        ("WorkerRole", {"dynamodb:GetItem", "dynamodb:BatchGetItem"}),
        ("AutoscalerRole", {"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem"}),
        ("WebRole", {"dynamodb:UpdateItem"}),
    ],
)
def test_only_the_web_tier_reads_its_secret_and_none_changes_it(
    role: str, denied: set[str]
) -> None:
    statement = denial(role, "secret#*")

    assert set(listed(statement["Action"])) == denied
    assert statement["Resource"] == {"Fn::GetAtt": ["Ledger", "Arn"]}


@pytest.mark.parametrize(
    ("role", "denied", "items"),
    [
        (
            "WorkerRole",
            {"dynamodb:GetItem", "dynamodb:BatchGetItem"},
            ["access#*", "session#*", "audit#*", "secret#*"],
        ),
        (
            "AutoscalerRole",
            {"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem"},
            ["access#*", "session#*", "audit#*", "secret#*"],
        ),
        # It opens and ends sessions.
        ("WebRole", {"dynamodb:PutItem", "dynamodb:UpdateItem"}, ["access#*", "audit#*"]),
    ],
)
def test_no_role_makes_keys_and_only_the_web_tier_reads_keys_and_sessions(
    role: str, denied: set[str], items: list[str]
) -> None:
    statement = denial(role, "access#*")

    assert set(listed(statement["Action"])) == denied
    assert statement["Resource"] == {"Fn::GetAtt": ["Ledger", "Arn"]}
    # Any: a batch that asks for one key among others is refused as a whole.
    assert statement["Condition"] == {"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": items}}
    allowed = {
        action
        for one in statements(role)
        if one["Effect"] == "Allow"
        for action in listed(one["Action"])
        if action.startswith("dynamodb:")
    }
    writing = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}
    for action in allowed & writing:
        keys = [f"{item.removesuffix('*')}x" for item in ("access#*", "audit#*")]
        assert not [key for key in keys if is_among(writable(role, action), {"pk": {"S": key}})]


def test_the_items_of_keys_sessions_and_audits_are_named_as_the_policies_say() -> None:
    assert fnmatch.fnmatchcase(access_ledger._KEY, "access#*")
    assert fnmatch.fnmatchcase(access_ledger._ALL_KEYS["pk"]["S"], "access#*")
    assert fnmatch.fnmatchcase(session_key("d" * 64)["pk"]["S"], "session#*")
    assert fnmatch.fnmatchcase(audit_log._day_key(20_000)["pk"]["S"], "audit#*")


def test_nobody_but_the_autoscaler_touches_machines() -> None:
    touching = {
        role for role in ROLES if any(fnmatch.fnmatch(action, "ec2:*") for action in actions(role))
    }

    assert touching == {"AutoscalerRole"}


@pytest.mark.parametrize(
    "action", ["ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances"]
)
def test_the_autoscaler_touches_only_what_carries_its_fleets_tag(action: str) -> None:
    (statement,) = (one for one in statements("AutoscalerRole") if action in one["Action"])

    assert statement["Condition"]["StringEquals"] == {
        "aws:ResourceTag/gridwell:fleet": {"Ref": "Fleet"}
    }


def test_every_statement_that_lets_instances_be_launched_demands_the_tag_and_tokens() -> None:
    launching = [
        statement
        for statement in statements("AutoscalerRole")
        if "ec2:RunInstances" in listed(statement["Action"])
        and any(
            resource == "*" or resource["Fn::Sub"].endswith(":instance/*")
            for resource in listed(statement["Resource"])
        )
    ]

    assert launching
    for statement in launching:
        equals = statement["Condition"]["StringEquals"]
        assert equals["aws:RequestTag/gridwell:fleet"] == {"Ref": "Fleet"}
        assert equals["ec2:MetadataHttpTokens"] == "required"
        assert "ec2:LaunchTemplate" in statement["Condition"]["ArnLike"]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_passes_on_no_role_but_the_workers_to_ec2(role: str) -> None:
    for statement in statements(role):
        if "iam:PassRole" in listed(statement["Action"]):
            assert statement["Resource"] == {"Fn::GetAtt": ["WorkerRole", "Arn"]}
            assert statement["Condition"]["StringEquals"] == {
                "iam:PassedToService": "ec2.amazonaws.com"
            }


def test_what_is_stored_of_a_job_is_written_once() -> None:
    (statement,) = (
        one
        for one in RESOURCES["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if one["Sid"] == "WriteOnce"
    )

    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Action"] == "s3:PutObject"
    assert statement["Condition"] == {
        "Null": {"s3:if-none-match": "true"},
        "Bool": {"s3:ObjectCreationOperation": "true"},
    }
    keys = {
        problem_object("a" * 64),
        answer_object("a" * 64),
        record_object("b" * 32, "c" * 16),
        map_object("b" * 32, "c" * 16, 0),
        map_digests_object("b" * 32, "c" * 16, 0),
    }
    folders = {resource["Fn::Sub"] for resource in statement["Resource"]}
    assert folders == {f"${{Bucket.Arn}}/{key.split('/')[0]}/*" for key in keys}
