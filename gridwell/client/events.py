"""Server-sent events, read line by line.  Pure.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from gridwell.client.status import JobStatus, decoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

StatusT = TypeVar("StatusT", bound=JobStatus)


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """An event as it was sent; without data it is a comment, which only shows that all is well."""

    name: str = "message"
    data: str | None = None
    id: str | None = None


def read_events(lines: Iterable[str]) -> Iterator[ServerEvent]:
    """Yield the events and comments of a stream, as they come.

    Args:
        lines: of the stream, without their ends; an event that is cut off is none.
    """
    name, data, last = "message", list[str](), None
    for line in lines:
        if not line:
            if data:
                yield ServerEvent(name, "\n".join(data), last)
            name, data = "message", []
        elif line.startswith(":"):
            yield ServerEvent(id=last)
        else:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                last = value


def moved(status: StatusT, event: ServerEvent) -> StatusT:
    """Return the status of a job after an event of it.

    Raises:
        InvalidMessage: if the event is not one of a job.
    """
    return decoded("an event of a job", lambda: status.moved(json.loads(event.data or "")))
