"""A network that loses replies: the call is carried out, and the caller never learns of it."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ReadTimeoutError


class Lossy:
    """A client whose next call of one operation takes effect but times out."""

    def __init__(self, client: Any, operation: str) -> None:
        self._client = client
        self._operation = operation
        self.lost = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name != self._operation or self.lost:
            return method

        def call(**arguments: Any) -> Any:
            method(**arguments)
            self.lost += 1
            raise ReadTimeoutError(endpoint_url="http://lossy")

        return call
