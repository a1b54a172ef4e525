"""The rules there are: each says what a queue is worth, and which stopped instances are spent.

All else (who counts, the cap, slots, the order of candidates) is the same for each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from autoscaler.decide import backlog_rule, classic_rule
from autoscaler.decide.model import Rule

if TYPE_CHECKING:
    from autoscaler.decide.capacity import Capacity
    from autoscaler.decide.model import Policy, Snapshot
    from gridwell.engine.ports import Depth


class ScalingRule(Protocol):
    """Functions that a rule's module offers."""

    def want(self, depth: Depth, policy: Policy) -> int:
        """Return the number of instances that the queue justifies, before any cap."""

    def arithmetic(self, depth: Depth) -> str:
        """Return the calculation of `want` as text."""

    def spent(self, snapshot: Snapshot, census: Capacity, policy: Policy) -> tuple[str, ...]:
        """Ids of stopped instances that are no longer worth their disks, the first to go first."""


RULES: Final[dict[Rule, ScalingRule]] = {Rule.DEFAULT: backlog_rule, Rule.CLASSIC: classic_rule}
