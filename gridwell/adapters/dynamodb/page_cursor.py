"""The cursor of a list of jobs: where a page ended, as text that clients do not look into."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Final

from gridwell.adapters.dynamodb.job_items import job_key, job_of_key, number, text
from gridwell.engine.errors import Fault, InvalidJob

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridwell.adapters.dynamodb.job_items import Item

_JOB: Final = re.compile(r"[0-9a-f]{32}")
_END_OF_TIME: Final = 1e12  #: DynamoDB refuses what is no number to it, and a forger could ask


def encode(key: Mapping[str, Any]) -> str:
    """The cursor after a key of the index `by_client`."""
    data = json.dumps([float(key["created"]["N"]), job_of_key(key)]).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode(cursor: str, client: str) -> Item:
    """The key of the index `by_client` that a page begins after.

    The client is the caller's own, never the cursor's: a forged one shows nobody else's jobs.

    Raises:
        InvalidJob: if the cursor is not one that `encode` gave.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        created, job = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if type(created) is not float or not 0 <= created < _END_OF_TIME or not _JOB.fullmatch(job):
            raise ValueError(f"{created!r} and {job!r} are not a time and a job")  # noqa: TRY301
    except (ValueError, TypeError, RecursionError) as error:
        detail = f"{cursor[:100]!r} is not the cursor of a page; leave it out to start again"
        raise InvalidJob(Fault("/cursor", detail)) from error
    return {**job_key(job), "client": text(client), "created": number(created)}
