"""The register of a job, the one thing besides sets of tasks that its ledger merges.  Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Best:
    """The register of a job: of two the one whose key is the lesser text stays.

    So any order, any duplicates and any number of writers leave the same one.  What key and
    payload mean is the kind's: the engine compares and keeps.
    """

    key: str
    payload: tuple[str, ...] = ()
    by: str | None = None  #: the worker that reported it

    @property
    def keys(self) -> tuple[str, ...]:
        """The payload, which begins with the key, or the key alone."""
        return self.payload or (self.key,)


def lesser(one: Best | None, other: Best | None) -> Best | None:
    """Return the register that stays of two: the one with the lesser key, and of equal ones `one`.

    None, of tasks that reported none, loses to any.
    """
    if one is None or other is None:
        return one or other
    return other if other.key < one.key else one
