"""Killing an instance where the region can do so, as hardware that breaks would: for trials."""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from typing import Final

from gridwell.engine.errors import ServiceBusy, WrongState

logger = logging.getLogger(__name__)

_SECONDS: Final = 10.0
_REFUSED: Final = range(400, 500)


class HttpKill:
    """Asks an address to kill instances, each by a POST of ``{"instance": id}``.

    Args:
        url: the address.
        key: sent as a bearer token; empty: none is sent.
    """

    def __init__(self, url: str, *, key: str = "") -> None:
        self._url = url
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    def __call__(self, instance: str) -> None:
        """Kill an instance.

        Raises:
            WrongState: if it is not on.
            ServiceBusy: if nobody answers.
        """
        request = urllib.request.Request(  # noqa: S310 - the operator's own address
            self._url,
            method="POST",
            data=json.dumps({"instance": instance}).encode(),
            headers=self._headers,
        )
        # No proxy is asked for what listens on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            opener.open(request, timeout=_SECONDS).close()
        except urllib.error.HTTPError as error:
            with error:
                words = error.read(500).decode(errors="replace")
            kind = WrongState if error.code in _REFUSED else ServiceBusy
            raise kind(f"{self._url} answers {error.code}: {words}") from error
        except OSError as error:
            raise ServiceBusy(f"{self._url} does not answer: {error}") from error
        logger.warning(
            "instance %s was killed from the fleet's page",
            instance,
            extra={"action": "fleet.killed", "instance": instance},
        )
