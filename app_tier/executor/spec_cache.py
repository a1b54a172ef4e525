"""Specs that a compute process keeps, mirrored by its parent.

Both do the same in the same order, so that a spec is sent again only when it was evicted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from gridwell.engine.lru_cache import LruCache

if TYPE_CHECKING:
    from app_tier.executor.port import RunTask

T = TypeVar("T")

KEPT_SPECS: Final = 2  #: as many as a process may have tasks
#: Of stored specs together: as much as the largest one fills.
KEPT_BYTES: Final = 34_000_000
#: A kind and the sha of a spec: each kind loads specs its own way.
SpecKey: TypeAlias = tuple[str, str]


def spec_cache() -> LruCache[SpecKey, T]:
    """Return an empty cache; the weight of an entry is the size of the stored spec in bytes."""
    return LruCache(KEPT_SPECS, weight=KEPT_BYTES)


def spec_key(task: RunTask) -> SpecKey:
    """Return the key of a task's spec."""
    return task.kind, task.spec
