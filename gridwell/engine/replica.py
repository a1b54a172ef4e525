"""Tasks that two workers compute, and which of their reports say the same.  Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gridwell.engine.register import Best

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Replica:
    """The report of one worker on a task that two compute."""

    task: int
    worker: str
    keys: tuple[str, ...]  #: the register's payload, or its key alone; none: it reported none
    at: float  #: when it was received
    digest: str = ""  #: of the task's stored file; empty: it keeps none

    @classmethod
    def of(
        cls, task: int, best: Best | None, *, worker: str, at: float, digest: str = ""
    ) -> Replica:
        """Return the replica of a report.

        Args:
            task: the number of the task.
            best: its register; a payload begins with the register's key.
            worker: who reported it.
            at: when it was received.
            digest: of its stored file.
        """
        keys = () if best is None else best.keys
        return cls(task=task, worker=worker, keys=keys, at=at, digest=digest)

    def encode(self) -> str:
        """Return the replica as JSON text."""
        fields = [self.task, self.worker, self.keys, self.at, self.digest]
        return json.dumps(fields, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> Replica:
        """Return the replica that `encode` gave.

        Raises:
            ValueError: if the text is none.
        """
        task, worker, keys, at, digest = json.loads(text)
        return cls(task=task, worker=worker, keys=tuple(keys), at=at, digest=digest)

    @property
    def best(self) -> Best | None:
        """The register that was reported; a payload of the key alone is left out."""
        if not self.keys:
            return None
        return Best(self.keys[0], self.keys if len(self.keys) > 1 else (), self.worker)


def settled(
    replicas: Iterable[Replica], agree: Callable[[Replica, Replica], bool]
) -> tuple[list[Replica], list[Replica]]:
    """Return the first two replicas of different workers that agree, and those that contradict.

    Args:
        replicas: of one task.
        agree: whether two of them can both be true.

    Returns:
        The two, none while no two agree; and the others, each of which contradicts one of the two.
    """
    known = sorted(replicas)
    for k, one in enumerate(known):
        for other in known[k + 1 :]:
            if one.worker == other.worker or not agree(one, other):
                continue
            pair = [one, other]
            rest = [each for each in known if each not in pair]
            return pair, [each for each in rest if not all(agree(each, two) for two in pair)]
    return [], []
