"""The images' disks: folders under `<state>/images`, which outlive the region's process.

An instance's disk starts as a copy of its image's.  Files of installed packages are hard links, so
that a virtual environment of 400 MB takes a fifth of a second.  Everything else is copied: a file
that a machine appends to must not change in its image or in other instances.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from gridwell.engine.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Never part of an image: each boot creates these again.
FRESH = ("run",)
#: Installers replace the files in here, and never write into them.
LINKED_FOLDER = "site-packages"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """EC2's data about an image, without its disk."""

    image_id: str
    name: str
    created: str  #: ISO 8601
    description: str = ""
    architecture: str = "x86_64"
    tags: Mapping[str, str] = field(default_factory=dict)

    def created_at(self) -> datetime:
        """Return the moment of creation."""
        return datetime.fromisoformat(self.created)


class ImageStore:
    """The images of one state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob("*.partial"):
            shutil.rmtree(leftover)

    def records(self) -> list[ImageRecord]:
        """Return all images whose disk is whole, oldest first.

        Raises:
            ServiceError: a record cannot be read.
        """
        found = []
        for path in self._folder.glob("ami-*.json"):
            try:
                found.append(ImageRecord(**json.loads(path.read_text())))
            except (TypeError, ValueError) as error:
                raise ServiceError(
                    f"image record {path} cannot be read ({error}): delete it and the folder"
                    f" {path.with_suffix('')} and bake again"
                ) from error
        return sorted(found, key=lambda record: (record.created, record.image_id))

    def add(self, record: ImageRecord, disk: Path | None) -> None:
        """Keep a copy of `disk` (None: an empty one) as the image's.

        The record is written last: a copy that was cut short is never taken for an image.
        """
        partial = self._folder / f"{record.image_id}.partial"
        if disk is None:
            partial.mkdir()
        else:
            copy_disk(disk, partial)
        partial.rename(self.disk(record.image_id))
        self._write(record)

    def retag(self, image_id: str, tags: Mapping[str, str]) -> None:
        """Replace the tags on an image's record; one still being copied has none yet."""
        with contextlib.suppress(FileNotFoundError):
            values = json.loads(self._record(image_id).read_text())
            self._write(ImageRecord(**(values | {"tags": dict(tags)})))

    def remove(self, image_id: str) -> None:
        """Throw an image away; instances made of it keep their own disks."""
        self._record(image_id).unlink(missing_ok=True)
        shutil.rmtree(self.disk(image_id), ignore_errors=True)

    def disk(self, image_id: str) -> Path:
        """Return the folder of an image's disk."""
        return self._folder / image_id

    def _record(self, image_id: str) -> Path:
        return self._folder / f"{image_id}.json"

    def _write(self, record: ImageRecord) -> None:
        path = self._record(record.image_id)
        partial = path.with_suffix(".json.new")
        partial.write_text(json.dumps(asdict(record) | {"tags": dict(record.tags)}, indent=1))
        partial.replace(path)


def copy_disk(source: Path, target: Path) -> None:
    """Copy a disk, hard-linking the files of installed packages.

    Args:
        source: a machine's or an image's folder.
        target: must not exist yet.
    """

    def ignore(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if folder == str(source) and name in FRESH]

    shutil.copytree(source, target, symlinks=True, ignore=ignore, copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> None:
    if f"/{LINKED_FOLDER}/" in source:
        try:
            os.link(source, target)
        except OSError:  # another file system, or too many links: a copy serves as well
            shutil.copy2(source, target)
    else:
        shutil.copy2(source, target)
