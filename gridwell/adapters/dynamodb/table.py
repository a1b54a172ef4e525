"""The few calls that both ledgers make on their one DynamoDB table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from gridwell.adapters.aws.client import code_of, translated
from gridwell.engine.errors import ServiceBusy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from gridwell.adapters.dynamodb.job_items import Item

BATCH: Final = 100  #: items in one BatchGetItem
ROUNDS: Final = 5  #: in which the items that a batch left out are asked for
_REFUSED = "ConditionalCheckFailedException"


class Table:
    """A table whose key is `pk`, read consistently and written under conditions.

    Args:
        client: of DynamoDB.
        name: the table's name.
    """

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client = client
        self._name = name
        self._resource = f"the table {name}"

    def get(self, key: Item) -> Item | None:
        """The item with this key, as of now."""
        with translated(self._resource):
            reply = self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True)
        return reply.get("Item")

    def get_many(self, keys: Iterable[Item]) -> list[Item]:
        """The items that exist, as of now: in one call for each hundred different keys.

        Raises:
            ServiceBusy: if DynamoDB leaves some unread time and again.
        """
        different = list({key["pk"]["S"]: key for key in keys}.values())
        found: list[Item] = []
        for start in range(0, len(different), BATCH):
            wanted: list[Item] = different[start : start + BATCH]
            for _ in range(ROUNDS):
                request: Any = {self._name: {"Keys": wanted, "ConsistentRead": True}}
                with translated(self._resource):
                    reply = self._client.batch_get_item(RequestItems=request)
                found += reply["Responses"].get(self._name, [])
                left: Any = reply.get("UnprocessedKeys", {})
                wanted = left.get(self._name, {}).get("Keys", [])
                if not wanted:
                    break
            else:
                raise ServiceBusy(f"{self._resource} left {len(wanted)} items unread")
        return found

    def put(
        self, item: Item, condition: str | None = None, values: Mapping[str, Any] | None = None
    ) -> tuple[bool, Item | None]:
        """Store a whole item, where the condition holds.

        Args:
            item: with its key.
            condition: over attributes written as ``#name``.
            values: of the placeholders in the condition, without their colon.

        Returns:
            Whether it was stored; if not, the item that stood against it.
        """
        options: dict[str, Any] = {}
        if condition is not None:
            options = _expressions(condition, values or {}) | {"ConditionExpression": condition}
        with translated(self._resource):
            try:
                self._client.put_item(
                    TableName=self._name,
                    Item=item,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **options,
                )
            except ClientError as error:
                return False, _item_against(error)
        return True, None

    def update(
        self, key: Item, change: str, condition: str | None, values: Mapping[str, Any]
    ) -> tuple[bool, Item | None]:
        """Change an item, where the condition holds; without one, make it if there is none.

        Args:
            key: of the item.
            change: the update expression, over attributes written as ``#name``.
            condition: the same way.
            values: of all placeholders, without their colon.

        Returns:
            True and the item after the change; or False and the item that stood against it, None
            if there is none.
        """
        options = _expressions(f"{change} {condition or ''}", values)
        if condition is not None:
            options["ConditionExpression"] = condition
        with translated(self._resource):
            try:
                reply = self._client.update_item(
                    TableName=self._name,
                    Key=key,
                    UpdateExpression=change,
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **options,
                )
            except ClientError as error:
                return False, _item_against(error)
        return True, reply["Attributes"]

    def count(self, index: str, keys: Mapping[str, str]) -> int:
        """How many items an index, which may lag, has under both of its keys.

        Args:
            index: its name.
            keys: the attributes that it is hashed and sorted by, and their values.
        """
        names = {f"#{name}": name for name in keys}
        values: Any = {f":{name}": {"S": value} for name, value in keys.items()}
        found = 0
        start: Any = {}
        while True:
            with translated(f"the index {index} of {self._resource}"):
                reply = self._client.query(
                    TableName=self._name,
                    IndexName=index,
                    Select="COUNT",
                    KeyConditionExpression=" AND ".join(f"#{name} = :{name}" for name in keys),
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=values,
                    **start,
                )
            found += reply["Count"]
            if "LastEvaluatedKey" not in reply:
                return found
            start = {"ExclusiveStartKey": reply["LastEvaluatedKey"]}

    def query(self, index: str, key: str, value: str, **options: Any) -> Iterator[Item]:
        """Keys from an index, which may lag, page after page.

        Args:
            index: its name.
            key: the attribute that it is hashed by.
            value: of that attribute.
            options: more arguments of the first and each later page's Query.
        """
        start: dict[str, Any] = {}
        while True:
            with translated(f"the index {index} of {self._resource}"):
                reply = self._client.query(
                    TableName=self._name,
                    IndexName=index,
                    KeyConditionExpression="#key = :value",
                    ExpressionAttributeNames={"#key": key},
                    ExpressionAttributeValues={":value": {"S": value}},
                    **(options | start),
                )
            yield from reply["Items"]
            if "LastEvaluatedKey" not in reply:
                return
            start = {"ExclusiveStartKey": reply["LastEvaluatedKey"]}


def _expressions(text: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The names and values of an expression; all names by placeholder, as many are reserved."""
    words = text.replace("(", " ").replace(")", " ").replace(",", " ").replace(".", " ").split()
    names = {word: word[1:] for word in words if word.startswith("#")}
    expressions: dict[str, Any] = {"ExpressionAttributeNames": names}
    if values:
        expressions["ExpressionAttributeValues"] = {f":{k}": v for k, v in values.items()}
    return expressions


def _item_against(error: ClientError) -> Item | None:
    """The item that failed a condition; any other error goes on."""
    if code_of(error) != _REFUSED:
        raise error
    item: Item | None = error.response.get("Item")  # type: ignore[assignment]
    return item
