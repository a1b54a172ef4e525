"""Whose account and which region calls go to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridwell.adapters.aws.client import translated

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient


def account(client: STSClient) -> str:
    """The account, the caller and the endpoint, in words.

    Raises:
        ServiceError: if AWS does not know us, or does not answer.
    """
    with translated("the account"):
        caller = client.get_caller_identity()
    meta = client.meta
    return f"{caller['Account']} as {caller['Arn']}, region {meta.region_name}, {meta.endpoint_url}"
