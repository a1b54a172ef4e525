"""Installation of this instance's release: verified in the image, or fetched and verified.

A program of its own, not part of the release: it runs before any of the release's code.  It needs
the standard library, and boto3 only if the image does not hold the wanted release.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import time
import zipfile
from pathlib import Path, PurePosixPath

_SHA256 = re.compile(r"[0-9a-f]{64}")
PATIENCE_SECONDS = 75.0  #: with the last try less than the unit's TimeoutStartSec
PAUSE_SECONDS = 2.0


def main() -> int:
    """Install the wanted release; exit status 0 lets the worker start."""
    home = Path(os.environ.get("GRIDWELL_HOME", "/opt/gridwell"))
    wanted = os.environ.get("GRIDWELL_RELEASE", "")
    try:
        where = install(wanted, home)
    except (OSError, ReleaseError) as error:
        say(f"release {wanted or '(none named)'}: {error}")
        return 1
    say(f"release {wanted[:12]} is verified, {where}")
    return 0


def install(wanted: str, home: Path) -> str:
    """Unpack the wanted release into `run/release`.

    Returns:
        The source of its wheel, for people.

    Raises:
        ReleaseError: it cannot be fetched, or its bytes have another sha256.
    """
    if not _SHA256.fullmatch(wanted):
        raise ReleaseError("GRIDWELL_RELEASE must be a sha256, 64 hex digits")
    wheel = home / "releases" / f"{wanted}.whl"
    where = "in the image"
    if not wheel.is_file() or sha_of(wheel.read_bytes()) != wanted:
        where = f"fetched from bucket {os.environ.get('GRIDWELL_BUCKET')}"
        fetch(wanted, wheel)
    unpack(wheel, home / "run" / "release")
    return where


class ReleaseError(Exception):
    """A release that cannot be fetched, verified or unpacked."""


def say(sentence: str) -> None:
    """Write a line to the console."""
    sys.stderr.write(f"gridwell: {sentence}\n")


def sha_of(data: bytes) -> str:
    """Return the sha256 of bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def fetch(wanted: str, wheel: Path) -> None:
    """Fetch a release from the bucket, verify its sha256 and keep it in the image."""
    bucket = os.environ.get("GRIDWELL_BUCKET")
    if not bucket:
        raise ReleaseError(
            "the image does not hold it, and GRIDWELL_BUCKET names no bucket to fetch it from"
        )
    import boto3  # noqa: PLC0415 - slow to import, and not needed at most boots
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            # A new session each time: one that found no credentials does not look again.
            s3 = boto3.Session().client("s3")
            reply = s3.get_object(Bucket=bucket, Key=f"releases/{wanted}.whl")
            data = reply["Body"].read()
            break
        except ClientError as error:
            raise ReleaseError(f"it cannot be fetched from bucket {bucket}: {error}") from error
        except BotoCoreError as error:
            # At boot the metadata service may be slow, or not started yet.
            if time.monotonic() >= until:
                raise ReleaseError(f"it cannot be fetched from bucket {bucket}: {error}") from error
            say(f"it cannot be fetched from bucket {bucket} yet, trying again: {error}")
            time.sleep(PAUSE_SECONDS)
    if (found := sha_of(data)) != wanted:
        raise ReleaseError(f"bucket {bucket} holds other bytes under its name: sha256 {found}")
    wheel.parent.mkdir(parents=True, exist_ok=True)
    scratch = wheel.with_suffix(".new")
    scratch.write_bytes(data)
    scratch.replace(wheel)


def unpack(wheel: Path, target: Path) -> None:
    """Unpack a wheel of pure Python into a folder, in place of its content."""
    scratch = target.with_name(f"{target.name}.new")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                path = PurePosixPath(name)
                if path.is_absolute() or ".." in path.parts:
                    raise ReleaseError(f"the wheel would write outside its folder: {name!r}")
            archive.extractall(scratch)
    except zipfile.BadZipFile as error:
        raise ReleaseError(f"it is no wheel: {error}") from error
    shutil.rmtree(target, ignore_errors=True)
    scratch.rename(target)


if __name__ == "__main__":
    sys.exit(main())
