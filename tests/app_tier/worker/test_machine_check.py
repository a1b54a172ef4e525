"""What a machine must have before it takes work, on real folders and limits."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app_tier.worker.machine_check import MachineCheck, available_memory

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue


def check(folder: Path, *, free: int = 1 << 20, memory: int = 1) -> str:
    return MachineCheck(folder=folder, free_bytes=free, memory_bytes=memory)()


def test_a_sound_machine_has_nothing_wrong(tmp_path: Path) -> None:
    assert check(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_is_a_flaw(tmp_path: Path) -> None:
    assert "cannot be written and read" in check(tmp_path / "gone")


def test_a_disk_without_the_stated_room_is_a_flaw(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    assert "MiB are free in" in check(tmp_path, free=free + (1 << 30))


def test_a_disk_that_is_full_is_a_flaw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left on device" in check(tmp_path)


def test_a_file_that_reads_back_otherwise_is_a_flaw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_bytes", lambda _self: b"else")
    assert "reads back otherwise" in check(tmp_path)


def test_little_memory_is_a_flaw(tmp_path: Path) -> None:
    available = available_memory()
    if available is None:
        pytest.skip("the kernel does not say how much memory is available")
    assert "MiB of memory are available" in check(tmp_path, memory=1 << 60)


def _limited(folder: Path, limit: int, found: SimpleQueue[str]) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    found.put(check(folder))


@pytest.mark.system
def test_a_limit_on_the_size_of_files_is_a_flaw(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    found: SimpleQueue[str] = context.SimpleQueue()
    process = context.Process(target=_limited, args=(tmp_path, 4096, found))
    process.start()
    process.join()
    assert "RLIMIT_FSIZE" in found.get()
