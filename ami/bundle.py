"""The bundle of a builder: the worker's wheel, its pins, the machine's files; and its name."""

from __future__ import annotations

import gzip
import hashlib
import importlib.resources
import io
import subprocess
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ami.pins import needed
from ami.sbom import bill_of_materials
from ami.worker_wheel import build_worker_wheel, worker_metadata
from gridwell import __version__
from gridwell.engine.canonical_json import sha_of
from gridwell.engine.errors import ServiceError

if TYPE_CHECKING:
    from pathlib import Path

_MACHINE_FILES: Final = (
    "provision.sh",
    "release.py",
    "deadline.sh",
    "gridwell-deadline.service",
    "gridwell-release.service",
    "gridwell-worker.service",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """All inputs of an image but its base image."""

    version: str
    commit: str
    release: str  #: the wheel's sha256
    wheel: bytes  #: of the worker
    archive: bytes  #: a tar.gz of all files
    pins: str = ""  #: the part of requirements.txt that a worker needs

    @property
    def sha(self) -> str:
        """The archive's sha256."""
        return hashlib.sha256(self.archive).hexdigest()

    @property
    def sbom(self) -> bytes:
        """The release's bill of materials, as CycloneDX JSON."""
        return bill_of_materials(self.wheel, self.release, self.version, self.pins)

    def build(self, base_image: str) -> str:
        """Return the name of this bundle's image on a base image: equal names, equal images."""
        return sha_of({"bundle": self.sha, "base": base_image})


def make_bundle(project: Path) -> Bundle:
    """Build the worker's wheel of a checkout and pack it with what else the builder needs.

    Equal sources give equal bytes.  Sources and pins that no worker needs do not change them.

    Raises:
        ServiceError: if this is no checkout, or its wheel cannot be built.
    """
    if not (project / "pyproject.toml").is_file():
        raise ServiceError(f"{project} is no checkout of Gridwell, from which images are baked")
    requirements = (project / "requirements.txt").read_text("utf-8")
    pins = needed(worker_metadata(project)["dependencies"], requirements)
    name, wheel = build_worker_wheel(project, __version__, pins)
    text = "".join(pin.entry for pin in pins)
    files = {name: wheel, "requirements.txt": text.encode()}
    folder = importlib.resources.files("ami")
    files |= {file: folder.joinpath(file).read_bytes() for file in _MACHINE_FILES}
    return Bundle(
        version=__version__,
        commit=_commit(project),
        release=hashlib.sha256(wheel).hexdigest(),
        wheel=wheel,
        archive=_pack(files),
        pins=text,
    )


def _commit(project: Path) -> str:
    """Return the commit of a checkout, marked if files differ from it; "unknown" without git."""

    def git(*arguments: str) -> str:
        run = subprocess.run(
            ["git", "-C", str(project), *arguments], capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _pack(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    # Neither gzip nor tar may record the time: equal files give equal bytes.
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            archive.addfile(entry, io.BytesIO(files[name]))
    return packed.getvalue()
