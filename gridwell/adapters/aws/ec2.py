"""The fleet's EC2 instances."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from gridwell.adapters.aws.client import code_of, translated
from gridwell.engine.errors import NoCapacity, ServiceBusy, ServiceError, WrongState
from gridwell.fleet.model import Instance, InstanceState, Offering

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_ec2 import EC2Client

FLEET_TAG: Final = "gridwell:fleet"
SLOT_TAG: Final = "gridwell:slot"
TOKEN_TAG: Final = "gridwell:token"  # noqa: S105 - a tag's name, no password
RELEASE_TAG: Final = "gridwell:release"

#: Not the default version: CloudFormation adds versions and leaves the default where it was.
_VERSION: Final = "$Latest"
_SLOT: Final = re.compile(r"[0-9]{2}")
_FULL: Final[dict[str, type[ServiceError]]] = dict.fromkeys(
    (
        "InstanceLimitExceeded",
        "InsufficientAddressCapacity",
        "InsufficientCapacity",
        "InsufficientFreeAddressesInSubnet",
        "InsufficientHostCapacity",
        "InsufficientInstanceCapacity",
        "InsufficientReservedInstanceCapacity",
        "InsufficientVolumeCapacity",
        "MaxSpotInstanceCountExceeded",
        "NetworkInterfaceLimitExceeded",
        "PendingVerification",
        "ReservationCapacityExceeded",
        "ResourceCountExceeded",
        "SpotMaxPriceTooLow",
        "Unsupported",
        "VcpuLimitExceeded",
        "VolumeLimitExceeded",
    ),
    NoCapacity,
)
_STATE: Final[dict[str, type[ServiceError]]] = dict.fromkeys(
    ("IncorrectInstanceState", "IncorrectState", "InvalidInstanceID.NotFound"), WrongState
)
_NO_TEMPLATE: Final = frozenset(
    {
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateName.NotFoundException",
        "InvalidLaunchTemplateId.VersionNotFound",
    }
)
_TOKEN_USED: Final = "IdempotentParameterMismatch"  # noqa: S105 - an error's name, no password


class Ec2Fleet:
    """Keeps the promises of `gridwell.fleet.ports.Ec2`.

    Args:
        client: of EC2.
        fleet: the fleet's name; only instances with its tag are seen.
        template: the launch template's name.
    """

    def __init__(self, client: EC2Client, fleet: str, template: str) -> None:
        self._client = client
        self._fleet = fleet
        self._template = template

    def instances(self, only: Sequence[str] = ()) -> tuple[Instance, ...]:
        """See `gridwell.fleet.ports.Ec2`.

        Ids go into a filter: given by themselves, one that EC2 does not show yet would fail all.
        """
        filters: list[Any] = [{"Name": f"tag:{FLEET_TAG}", "Values": [self._fleet]}]
        if only:
            filters.append({"Name": "instance-id", "Values": list(only)})
        pages = self._client.get_paginator("describe_instances").paginate(Filters=filters)
        with translated(f"the instances of the fleet {self._fleet}"):
            return tuple(
                _instance(instance, owner=reservation["OwnerId"], region=self._region)
                for page in pages
                for reservation in page["Reservations"]
                for instance in reservation["Instances"]
            )

    def release(self) -> str | None:
        """See `gridwell.fleet.ports.Ec2`; the template's tag for its instances says it."""
        with translated(f"the launch template {self._template}"):
            try:
                reply = self._client.describe_launch_template_versions(
                    LaunchTemplateName=self._template, Versions=[_VERSION]
                )
            except ClientError as error:
                if code_of(error) in _NO_TEMPLATE:
                    return None
                raise
        for version in reply["LaunchTemplateVersions"]:
            for specification in version["LaunchTemplateData"].get("TagSpecifications", []):
                if specification.get("ResourceType") == "instance":
                    return _tags(specification).get(RELEASE_TAG)
        return None

    def launch(self, slot: int, token: str, offer: Offering | None = None) -> str:
        """See `gridwell.fleet.ports.Ec2`.

        The release's tag comes with the launch template.  Sent along it would make a second try
        another request wherever the template changed in between, and EC2 would refuse it.
        """
        tags = {
            "Name": f"{self._fleet}-{slot:02d}",
            FLEET_TAG: self._fleet,
            SLOT_TAG: f"{slot:02d}",
            TOKEN_TAG: token,
        }
        offer = offer or Offering()
        overrides: dict[str, Any] = {"InstanceType": offer.type} if offer.type else {}
        if offer.subnet:
            overrides["SubnetId"] = offer.subnet
        with translated(f"the launch template {self._template}", _FULL):
            try:
                reply = self._client.run_instances(
                    **overrides,
                    LaunchTemplate={"LaunchTemplateName": self._template, "Version": _VERSION},
                    ClientToken=token,
                    MinCount=1,
                    MaxCount=1,
                    TagSpecifications=[
                        {
                            "ResourceType": "instance",
                            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
                        }
                    ],
                )
            except ClientError as error:
                if code_of(error) != _TOKEN_USED:
                    raise
                return self._launched_by(token)
        return reply["Instances"][0]["InstanceId"]

    def start(self, instance: str) -> None:
        """See `gridwell.fleet.ports.Ec2`."""
        with translated(f"the instance {instance}", _FULL | _STATE):
            self._client.start_instances(InstanceIds=[instance])

    def stop(self, instance: str, *, force: bool = False) -> None:
        """See `gridwell.fleet.ports.Ec2`."""
        with translated(f"the instance {instance}", _STATE):
            self._client.stop_instances(InstanceIds=[instance], Force=force)

    def terminate(self, instance: str) -> None:
        """See `gridwell.fleet.ports.Ec2`."""
        with translated(f"the instance {instance}", _STATE):
            self._client.terminate_instances(InstanceIds=[instance])

    @property
    def _region(self) -> str:
        return self._client.meta.region_name

    def _launched_by(self, token: str) -> str:
        """The instance of a token that EC2 knows from a request that differed."""
        for instance in self.instances():
            if instance.token == token:
                return instance.id
        raise ServiceBusy(
            f"EC2 has seen the client token {token} of fleet {self._fleet} before, in another "
            "request, but does not show its instance yet"
        )


def _instance(fields: Mapping[str, Any], *, owner: str, region: str) -> Instance:
    tags = _tags(fields)
    slot = tags.get(SLOT_TAG, "")
    return Instance(
        id=fields["InstanceId"],
        state=InstanceState(fields["State"]["Name"]),
        launched=fields["LaunchTime"].timestamp(),
        slot=int(slot) if _SLOT.fullmatch(slot) else None,
        token=tags.get(TOKEN_TAG),
        release=tags.get(RELEASE_TAG),
        arn=f"arn:aws:ec2:{region}:{owner}:instance/{fields['InstanceId']}",
        reason=fields.get("StateReason", {}).get("Code", ""),
        reason_message=fields.get("StateReason", {}).get("Message", ""),
        type=fields.get("InstanceType", ""),
        subnet=fields.get("SubnetId", ""),
    )


def _tags(fields: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in fields.get("Tags", [])}
