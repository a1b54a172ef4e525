"""A faulty region at hand: a fresh queue, the services' clients, and a way to plan faults."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from gridwell.local_stack.faults.client import RemoteFaults
from gridwell.local_stack.faults.plan_json import decode

if TYPE_CHECKING:
    from tests.local_stack.conftest import Region


@cache
def patient(endpoint: str, service: str, access_key: str) -> Any:
    """A client that tries again, as those of the tiers do."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key="test",  # noqa: S106 - the region checks no signature
        config=Config(retries={"mode": "standard", "total_max_attempts": 3}),
    )


class Bench:
    """A region, a fresh queue in it, and a way to plan faults."""

    def __init__(self, region: Region, queue: str) -> None:
        self.region = region
        self.remote = RemoteFaults(region.endpoint, access_key=region.access_key)
        self.queue = queue
        self.sqs = region.client("sqs")
        self.ddb = region.client("dynamodb")
        self.s3 = region.client("s3")
        self.ec2 = region.ec2
        self.url = self.sqs.create_queue(QueueName=queue)["QueueUrl"]

    def plan(self, kind: str, **where: Any) -> None:
        fault = {"kind": kind, **({"nth": 1} if "probability" not in where else {}), **where}
        self.remote.put(decode(json.dumps({"seed": 1, "faults": [fault]})))

    def patient(self, service: str) -> Any:
        return patient(self.region.endpoint, service, self.region.access_key)

    def send(self, *bodies: str) -> Any:
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
        return self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)

    def receive(self, wait: int = 1) -> list[Any]:
        reply = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=wait
        )
        return list(reply.get("Messages", []))

    def delete(self, messages: list[Any]) -> Any:
        entries = [
            {"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)
        ]
        return self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)

    def depth(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        reply = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return sum(int(reply["Attributes"][name]) for name in names)

    def instances(self) -> set[str]:
        reply = self.ec2.describe_instances()
        return {i["InstanceId"] for r in reply["Reservations"] for i in r["Instances"]}

    def put_item(self, key: str, client: Any = None) -> None:
        item = {"pk": {"S": key}, "unfinished": {"S": "0"}}
        (client or self.ddb).put_item(
            TableName="ledger", Item=item, ConditionExpression="attribute_not_exists(pk)"
        )

    def has_item(self, key: str) -> bool:
        return "Item" in self.ddb.get_item(TableName="ledger", Key={"pk": {"S": key}})


def error_of(caught: Any) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]
