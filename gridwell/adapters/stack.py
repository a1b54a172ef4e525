"""The CloudFormation stack: creating and updating it, and what the tiers must know of it."""

from __future__ import annotations

import importlib.resources
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from gridwell.domain.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_cloudformation import CloudFormationClient

#: The stack's outputs, and the settings in which the tiers find them.
_SETTINGS: Final = {
    "Fleet": "GRIDWELL_FLEET",
    "ChunksQueue": "GRIDWELL_CHUNKS_QUEUE",
    "ResultsQueue": "GRIDWELL_RESULTS_QUEUE",
    "DeadChunksQueue": "GRIDWELL_DEAD_CHUNKS_QUEUE",
    "DeadResultsQueue": "GRIDWELL_DEAD_RESULTS_QUEUE",
    "LedgerTable": "GRIDWELL_LEDGER_TABLE",
    "Bucket": "GRIDWELL_BUCKET",
    "LaunchTemplate": "GRIDWELL_LAUNCH_TEMPLATE",
}
#: Those that a stack has only if its parameters say so.
_OPTIONAL: Final = {"EventsTopic": "GRIDWELL_EVENTS_TOPIC"}
_NO_CHANGE: Final = "No updates are to be performed"


def template() -> str:
    """The template's text: the same for AWS and for the local region."""
    return importlib.resources.files("gridwell.deploy").joinpath("stack.yaml").read_text("utf-8")


def create_or_update(
    client: CloudFormationClient,
    fleet: str,
    parameters: Mapping[str, str],
    *,
    poll_seconds: int = 5,
) -> dict[str, str]:
    """Bring the stack of a fleet to what the template and the parameters say.

    Args:
        client: of CloudFormation.
        fleet: the fleet's name; it names the stack too.
        parameters: of the template; those left out keep their defaults.
        poll_seconds: between two looks while CloudFormation works.

    Returns:
        The stack's outputs.

    Raises:
        ServiceError: if CloudFormation refused or rolled back; its events say why.
    """
    request: dict[str, Any] = {
        "StackName": fleet,
        "TemplateBody": template(),
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in {"Fleet": fleet, **parameters}.items()
        ],
        "Capabilities": ["CAPABILITY_IAM"],
    }
    waiting: Any = {"Delay": poll_seconds, "MaxAttempts": 1800 // max(1, poll_seconds)}
    try:
        if _exists(client, fleet):
            try:
                client.update_stack(**request)
            except ClientError as error:
                if _NO_CHANGE not in str(error):
                    raise
            else:
                client.get_waiter("stack_update_complete").wait(
                    StackName=fleet, WaiterConfig=waiting
                )
        else:
            client.create_stack(**request, OnFailure="DELETE")
            client.get_waiter("stack_create_complete").wait(StackName=fleet, WaiterConfig=waiting)
        (stack,) = client.describe_stacks(StackName=fleet)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise ServiceError(f"stack {fleet} was not brought up to date: {error}") from error
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def environment_of(outputs: Mapping[str, str]) -> dict[str, str]:
    """The settings that tell a tier where its queues, table and bucket are."""
    there = {setting: outputs[output] for output, setting in _SETTINGS.items()}
    return there | {
        setting: outputs[output] for output, setting in _OPTIONAL.items() if output in outputs
    }


def _exists(client: CloudFormationClient, name: str) -> bool:
    try:
        client.describe_stacks(StackName=name)
    except ClientError as error:
        if "does not exist" in str(error):
            return False
        raise
    return True
