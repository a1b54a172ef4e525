"""The preference to wait (RFC 7240)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from flask import Request

MAX_WAIT_SECONDS: Final = 30
_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])', re.IGNORECASE)


def wait_seconds(request: Request) -> int | None:
    """Return the seconds of `Prefer: wait=N`, capped; None if the client does not ask to wait.

    A preference that cannot be read is ignored, as that standard wants it.
    """
    found = _WAIT.search(",".join(request.headers.getlist("Prefer")))
    return None if found is None else min(int(found[1]), MAX_WAIT_SECONDS)
