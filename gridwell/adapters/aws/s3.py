"""Whole objects in an S3 bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from gridwell.adapters.aws.client import code_of, translated
from gridwell.engine.errors import ServiceBusy

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ROUNDS: Final = 3
_TAKEN = "PreconditionFailed"
_CONFLICT = "ConditionalRequestConflict"


class S3Store:
    """Keeps the promises of `gridwell.engine.ports.ObjectStore`.

    Args:
        client: of S3.
        bucket: the bucket's name.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put_new(self, key: str, data: bytes, *, content_type: str) -> bool:
        """See `gridwell.engine.ports.ObjectStore`."""
        resource = f"the object {key} of the bucket {self._bucket}"
        for _ in range(_ROUNDS):
            with translated(resource):
                try:
                    self._client.put_object(
                        Bucket=self._bucket,
                        Key=key,
                        Body=data,
                        ContentType=content_type,
                        IfNoneMatch="*",
                    )
                except ClientError as error:
                    if code_of(error) == _TAKEN:
                        return False
                    # Another writer was at the same key, and may have failed: ask once more.
                    if code_of(error) != _CONFLICT:
                        raise
                else:
                    return True
        raise ServiceBusy(f"{resource}: others wrote it at the same time, {_ROUNDS} times in a row")

    def get(self, key: str) -> bytes | None:
        """See `gridwell.engine.ports.ObjectStore`."""
        return self._get(key)

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        """See `gridwell.engine.ports.ObjectStore`."""
        return self._get(key, Range=f"bytes={start}-{start + length - 1}")

    def _get(self, key: str, **options: Any) -> bytes | None:
        with translated(f"the object {key} of the bucket {self._bucket}"):
            try:
                reply = self._client.get_object(Bucket=self._bucket, Key=key, **options)
            except ClientError as error:
                # Without the right to list the bucket S3 says AccessDenied here instead.
                if code_of(error) == "NoSuchKey":
                    return None
                if code_of(error) == "InvalidRange":  # all of it lies behind the end
                    return b""
                raise
            with reply["Body"] as body:
                return body.read()
