"""An SNS topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gridwell.adapters.aws.client import translated
from gridwell.engine.errors import ServiceBusy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_sns import SNSClient

    from gridwell.engine.job_events import Notice

BATCH: Final = 10  #: messages in one call


class SnsTopic:
    """Keeps the promises of `gridwell.engine.ports.Topic`.

    Args:
        client: of SNS.
        arn: of a standard topic.
    """

    def __init__(self, client: SNSClient, arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(self, notices: Sequence[Notice]) -> None:
        """See `gridwell.engine.ports.Topic`."""
        failed: list[str] = []
        for start in range(0, len(notices), BATCH):
            entries: Any = [
                {
                    "Id": str(place),
                    "Message": notice.body,
                    "MessageAttributes": {
                        name: {"DataType": "String", "StringValue": value}
                        for name, value in notice.attributes
                    },
                }
                for place, notice in enumerate(notices[start : start + BATCH])
            ]
            with translated(f"the topic {self._arn}"):
                reply = self._client.publish_batch(
                    TopicArn=self._arn, PublishBatchRequestEntries=entries
                )
            failed += [failure["Code"] for failure in reply.get("Failed", [])]
        if failed:
            raise ServiceBusy(f"the topic {self._arn} refused {len(failed)} messages: {failed[0]}")
