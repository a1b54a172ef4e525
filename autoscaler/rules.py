"""The rules there are: each says what a queue is worth, and which stopped instances are spent.

All else (who counts, the cap, slots, the order of candidates) is the same for each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from autoscaler import classic, demand
from autoscaler.model import Rule

if TYPE_CHECKING:
    from autoscaler.census import Census
    from autoscaler.model import Policy, Snapshot
    from gridwell.domain.fleet import Depth


class ScalingRule(Protocol):
    """What a rule's module offers."""

    def want(self, depth: Depth, policy: Policy) -> int:
        """How many instances the queue is worth, before any cap."""

    def arithmetic(self, depth: Depth) -> str:
        """The same in words."""

    def spent(self, snapshot: Snapshot, census: Census, policy: Policy) -> tuple[str, ...]:
        """Ids of stopped instances that are no longer worth their disks, the first to go first."""


RULES: Final[dict[Rule, ScalingRule]] = {Rule.DEFAULT: demand, Rule.CLASSIC: classic}
