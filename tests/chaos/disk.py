"""A small disk of its own for a stack, so that it can be full."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SPARE_BYTES: Final = 256 << 20


@contextmanager
def small_disk(place: Path, *, images: Path) -> Iterator[str]:
    """A tmpfs at a folder, with a stack's images and little more room.

    The logs in it are copied beside it at the end.

    Args:
        place: the folder; it is made.
        images: what the stack shall find as its images.

    Yields:
        Why there is none; empty: there is one.
    """
    place.mkdir(parents=True, exist_ok=True)
    if place.is_mount():  # of a run that was killed
        subprocess.run(["umount", "--lazy", place], check=True)
    why = _mount(place, _SPARE_BYTES + _size(images))
    if why:
        yield why
        return
    try:
        subprocess.run(["cp", "-a", images, place / "images"], check=True)
        yield ""
    finally:
        kept = place.with_name(f"{place.name}-logs")
        shutil.rmtree(kept, ignore_errors=True)
        for name in ("logs", "consoles"):
            if (place / name).exists():
                shutil.copytree(place / name, kept / name)
        subprocess.run(["umount", "--lazy", place], check=True)


def _mount(place: Path, size: int) -> str:
    """Mount it; why not, if that fails."""
    if os.geteuid() != 0:
        return "only root may mount a small disk"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", place],
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stderr.strip() if done.returncode else ""


def _size(folder: Path) -> int:
    """What the files take, rounded up to pages; hard links once."""
    sizes = {}
    for file in folder.rglob("*"):
        stat = file.lstat()
        sizes[stat.st_ino] = (stat.st_size + 4095) // 4096 * 4096
    return sum(sizes.values())
