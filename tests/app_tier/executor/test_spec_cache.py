"""Specs that a compute process keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app_tier.executor.spec_cache import KEPT_BYTES, spec_cache, spec_key
from tests.harness.builders import a_problem
from tests.harness.grid_tasks import a_run_task

if TYPE_CHECKING:
    from app_tier.executor.spec_cache import SpecKey
    from gridwell.engine.lru_cache import LruCache


def filled(*sizes: int) -> LruCache[SpecKey, int]:
    cache: LruCache[SpecKey, int] = spec_cache()
    for number, size in enumerate(sizes):
        cache.put(("kind", str(number)), number, size)
    return cache


def kept(cache: LruCache[SpecKey, int]) -> str:
    return "".join(sha for _, sha in cache)


def test_the_two_latest_small_specs_are_kept() -> None:
    assert kept(filled(10, 10, 10)) == "12"


def test_the_largest_spec_is_kept_alone() -> None:
    assert kept(filled(10, KEPT_BYTES)) == "1"
    assert kept(filled(KEPT_BYTES, 10)) == "1"


def test_each_kind_keeps_a_spec_as_it_loads_it() -> None:
    task = a_run_task(1, a_problem())
    other = a_run_task(2, a_problem(), kind="map")

    assert task.spec == other.spec
    assert spec_key(task) != spec_key(other)
