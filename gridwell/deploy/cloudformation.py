"""The CloudFormation stack: creating and updating it, and what the tiers must know of it."""

from __future__ import annotations

import importlib.resources
import itertools
import re
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from gridwell.engine.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

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
_PARAMETER: Final = re.compile(r"  ([A-Za-z0-9]+):")
_NO_CHANGE: Final = "No updates are to be performed"


def template() -> str:
    """Return the template's text: the same for AWS and for the local region."""
    return importlib.resources.files("gridwell.deploy").joinpath("stack.yaml").read_text("utf-8")


def parameter_names(text: str) -> list[str]:
    """Return the names of a template's parameters, as our template is written.

    A reader of YAML would be one more package on each web host, for six names.
    """
    _, _, rest = text.partition("\nParameters:\n")
    section = itertools.takewhile(lambda line: not line or line[0].isspace(), rest.splitlines())
    return [found[1] for line in section if (found := _PARAMETER.fullmatch(line))]


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
        parameters: of the template.  Those left out keep the values that the stack has, or get
            their defaults if it is new: CloudFormation by itself would reset them with each update.
        poll_seconds: between two looks while CloudFormation works.

    Returns:
        The stack's outputs.

    Raises:
        ServiceError: if CloudFormation refused or rolled back; its events say why.
    """
    given: list[dict[str, Any]] = [
        {"ParameterKey": key, "ParameterValue": value}
        for key, value in {"Fleet": fleet, **parameters}.items()
    ]
    request: dict[str, Any] = {
        "StackName": fleet,
        "TemplateBody": template(),
        "Parameters": given,
        "Capabilities": ["CAPABILITY_IAM"],
    }
    waiting: Any = {"Delay": poll_seconds, "MaxAttempts": 1800 // max(1, poll_seconds)}
    try:
        stack = _found(client, fleet)
        if stack is not None:
            given += _kept(stack, besides={"Fleet", *parameters})
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
        (ready,) = client.describe_stacks(StackName=fleet)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise ServiceError(f"stack {fleet} was not brought up to date: {error}") from error
    return {output["OutputKey"]: output["OutputValue"] for output in ready.get("Outputs", [])}


def environment_of(outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that tell a tier where its queues, table and bucket are."""
    there = {setting: outputs[output] for output, setting in _SETTINGS.items()}
    return there | {
        setting: outputs[output] for output, setting in _OPTIONAL.items() if output in outputs
    }


def _found(client: CloudFormationClient, name: str) -> StackTypeDef | None:
    try:
        (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return stack


def _kept(stack: StackTypeDef, *, besides: Collection[str]) -> list[dict[str, Any]]:
    """Return the parameters of a stack that an update leaves as they are.

    Only those that the template still has: CloudFormation refuses others.
    """
    known = parameter_names(template())
    names = [parameter.get("ParameterKey", "") for parameter in stack.get("Parameters", [])]
    return [
        {"ParameterKey": name, "UsePreviousValue": True}
        for name in names
        if name in known and name not in besides
    ]
