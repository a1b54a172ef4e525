"""The compiled kernels are made by a process of their own, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("numba", reason="numba is not installed: pip install 'gridwell[fast]'")

from app_tier.kinds.grid.kernels import numba_compile
from app_tier.kinds.grid.warm_up import have_compiled

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system


def test_they_are_waited_for_with_signs_of_life_and_then_never_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba_compile, "cache_folder", lambda: tmp_path)
    seen: list[int] = []

    have_compiled(seen.append)
    monkeypatch.setattr(
        "app_tier.kinds.grid.warm_up.multiprocessing.get_context", None
    )  # calling it would fail
    have_compiled(seen.append)

    assert seen
    assert set(seen) == {0}
    assert len(list(tmp_path.iterdir())) == 1


def test_what_progress_raises_ends_the_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba_compile, "cache_folder", lambda: tmp_path)

    def stop(_points: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        have_compiled(stop)


def test_where_nothing_can_be_kept_each_process_compiles_for_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numba_compile, "cache_folder", lambda: None)
    monkeypatch.setattr("app_tier.kinds.grid.warm_up.multiprocessing.get_context", None)

    have_compiled(lambda _points: None)


def test_the_machine_code_is_known_by_numba_and_the_processor() -> None:
    assert len(numba_compile.compiler().split()) > 2
    assert numba_compile.cache_folder() is not None
