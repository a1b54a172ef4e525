"""Cached values that this stack did not write, counted and logged."""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)


class Forgeries:
    """Counts cached values that do not verify, and logs the first of them.

    Attributes:
        count: how many there were.
    """

    def __init__(self) -> None:
        self.count = 0

    def add(self, key: str) -> None:
        """Count the value under a key."""
        self.count += 1
        if self.count == 1:
            logger.error(
                "the value of %s in memcached was not written by this stack, and counts as "
                "missing: see who reaches memcached; further ones are only counted, as "
                "gridwell_cache_forged_total",
                key,
                extra={"action": "cache.forged", "key": key},
            )
