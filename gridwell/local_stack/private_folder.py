"""Folders and files that no other user of the machine may read or replace."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import ServiceError

if TYPE_CHECKING:
    from pathlib import Path

_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def real_path(path: Path) -> Path:
    """Return the path of a folder without links, unless another user could lead us by one.

    Raises:
        ServiceError: the path ends in a link that another user has made.
    """
    with contextlib.suppress(FileNotFoundError):
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode) and found.st_uid not in (0, os.geteuid()):
            raise ServiceError(
                f"{path} is a link of user {found.st_uid} to {path.resolve()}: name a folder of"
                " your own with --state"
            )
    return path.resolve()


def make_private(folder: Path) -> None:
    """Create a folder of mode 0700, or give a folder of ours this mode.

    Args:
        folder: a folder, or its path to be; it must not be a link itself.

    Raises:
        ServiceError: it is a link, no folder, another user's, or has been filled while others
            could write it.
    """
    try:
        folder.mkdir(mode=_MODE, parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise ServiceError(
            f"the folder {folder} cannot be used ({error.strerror}): name a folder of your own"
            " with --state, by its real path"
        ) from error
    try:
        found = os.fstat(handle)
        _check_owner(folder, found)
        if found.st_mode & _OTHERS_WRITE and any(folder.iterdir()):
            raise ServiceError(
                f"others could write {folder}, so what is in it may be theirs, and images in it"
                f" are run: remove it, or if you trust all of it, chmod go-rwx {folder}"
            )
        # By the handle: the path may lead elsewhere by now.
        os.fchmod(handle, _MODE)
    finally:
        os.close(handle)


def check_private(folder: Path) -> None:
    """Return if no other user can have put something into a folder.

    Raises:
        FileNotFoundError: it does not exist.
        ServiceError: it is a link, another user's, or others may write it.
    """
    check_own(folder)
    mode = stat.S_IMODE(folder.lstat().st_mode)
    if mode & _OTHERS_WRITE:
        raise ServiceError(
            f"others may write {folder} (mode {mode:04o}), so what it says of a running stack may"
            f" be theirs: remove it, or if you trust all of it, chmod go-rwx {folder}"
        )


def check_own(path: Path) -> None:
    """Return if a file or folder is the caller's own.

    Raises:
        FileNotFoundError: it does not exist.
        ServiceError: it is a link or another user's.
    """
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise ServiceError(f"{path} is a link: name the folder by its real path with --state")
    _check_owner(path, found)


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600; readers see the old text or the new one whole."""
    scratch = path.with_name(f"{path.name}.new")
    scratch.unlink(missing_ok=True)
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    scratch.replace(path)


def _check_owner(path: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise ServiceError(
            f"{path} belongs to user {found.st_uid}, and you are user {os.geteuid()}: name a"
            " folder of your own with --state"
        )
