"""Batches of which some entries never reach the service.

Each function splits a JSON call into the part that is passed on and the part that is put back into
the response.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A batch of SQS, with the results of the entries that do not reach SQS."""

    data: dict[str, Any]  #: the call that is passed on
    refused: list[str] = field(default_factory=list)  #: ids of entries that fail
    pretended: list[str] = field(default_factory=list)  #: ids that seem to succeed

    @property
    def is_empty(self) -> bool:
        """True if nothing is left to pass on."""
        return not self.data["Entries"]

    def amended(self, reply: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to the whole batch."""
        failures = [
            {
                "Id": entry,
                "SenderFault": False,
                "Code": "InternalError",
                "Message": "An internal error occurred.",
            }
            for entry in self.refused
        ]
        return {
            **reply,
            "Successful": [*reply.get("Successful", []), *({"Id": i} for i in self.pretended)],
            "Failed": [*reply.get("Failed", []), *failures],
        }


def split_batch(
    data: Mapping[str, Any], *, refused: Collection[str], forgotten: Collection[str]
) -> Split:
    """Take entries out of a batch.

    Args:
        data: the call.
        refused: ids of entries that shall fail.
        forgotten: ids of entries that shall seem to succeed.
    """
    entries = data["Entries"]
    out = {*refused, *forgotten}
    return Split(
        data={**data, "Entries": [entry for entry in entries if entry["Id"] not in out]},
        refused=[entry["Id"] for entry in entries if entry["Id"] in refused],
        pretended=[
            entry["Id"]
            for entry in entries
            if entry["Id"] in forgotten and entry["Id"] not in refused
        ],
    )


def without_keys(
    data: Mapping[str, Any], left_out: Collection[tuple[str, int]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take keys out of a BatchGetItem.

    Args:
        data: the call.
        left_out: keys by their table and their position in its list.

    Returns:
        The call that is passed on, and the ``UnprocessedKeys`` of its response.
    """
    kept: dict[str, Any] = {}
    unprocessed: dict[str, Any] = {}
    for table, request in data["RequestItems"].items():
        for chosen, wanted in ((kept, False), (unprocessed, True)):
            keys = [
                key
                for position, key in enumerate(request["Keys"])
                if ((table, position) in left_out) is wanted
            ]
            if keys:
                chosen[table] = {**request, "Keys": keys}
    return {**data, "RequestItems": kept}, unprocessed


def delayed(data: Mapping[str, Any], seconds: Mapping[str, int]) -> dict[str, Any]:
    """Let messages turn visible later.

    Args:
        data: a SendMessage, or a SendMessageBatch.
        seconds: by the entry's id; of a single message the id is empty.
    """
    if "Entries" not in data:
        return {**data, "DelaySeconds": seconds[""]} if "" in seconds else dict(data)
    entries = [
        {**entry, "DelaySeconds": seconds[entry["Id"]]} if entry["Id"] in seconds else entry
        for entry in data["Entries"]
    ]
    return {**data, "Entries": entries}
