from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local_stack.conftest import Region


@pytest.fixture(scope="module")
def table(region: Region) -> Any:
    client = region.client("dynamodb")
    client.create_table(
        TableName="ledger",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


def test_one_of_many_conditional_writers_wins(table: Any) -> None:
    table.put_item(TableName="ledger", Item={"pk": {"S": "slot"}, "epoch": {"N": "0"}})

    def claim(_: int) -> str:
        try:
            table.update_item(
                TableName="ledger",
                Key={"pk": {"S": "slot"}},
                UpdateExpression="SET epoch = epoch + :one",
                ConditionExpression="epoch = :seen",
                ExpressionAttributeValues={":one": {"N": "1"}, ":seen": {"N": "0"}},
            )
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "won"

    with ThreadPoolExecutor(8) as threads:
        answers = sorted(threads.map(claim, range(40)))

    assert answers == ["ConditionalCheckFailedException"] * 39 + ["won"]


def test_the_size_of_an_absent_attribute_meets_no_condition(table: Any) -> None:
    table.put_item(TableName="ledger", Item={"pk": {"S": "job"}})

    with pytest.raises(ClientError) as caught:
        table.update_item(
            TableName="ledger",
            Key={"pk": {"S": "job"}},
            UpdateExpression="SET finished = :n",
            ConditionExpression="size(done) = :n",
            ExpressionAttributeValues={":n": {"N": "8"}},
        )

    assert caught.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
