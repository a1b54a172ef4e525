"""Refusals of requests whose bodies are too large, or that are not framed as they should be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from gridwell.engine.limits import MAX_BODY_BYTES


@dataclass(frozen=True, slots=True)
class FramingError:
    """The reason why a request is refused before it is read to its end."""

    status: int
    code: str
    detail: str


BODY_TOO_LARGE: Final = FramingError(
    413,
    "body_too_large",
    f"the body is larger than {MAX_BODY_BYTES} bytes; write shorter numbers, or fewer of them",
)
NO_BODY: Final = FramingError(
    413, "body_too_large", "this request takes no body; send it without one, and without Expect"
)


@cache  # there are as many as there are limits
def too_large(limit: int) -> FramingError:
    """Return the refusal of a body that is longer than a limit."""
    if limit == MAX_BODY_BYTES:
        return BODY_TOO_LARGE
    if not limit:
        return NO_BODY
    detail = f"the body is larger than the {limit} bytes that this request may have; send less"
    return FramingError(413, "body_too_large", detail)
