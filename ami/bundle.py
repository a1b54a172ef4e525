"""What the builder is given: the wheel, the pins and the machine's files, and the build's name."""

from __future__ import annotations

import gzip
import hashlib
import importlib.resources
import io
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ami.sbom import bill_of_materials
from gridwell import __version__
from gridwell.domain.canonical import sha_of
from gridwell.domain.errors import ServiceError

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
    """Everything that makes an image what it is, besides the image it starts from."""

    version: str
    commit: str
    release: str  #: the wheel's sha256
    wheel: bytes
    archive: bytes  #: a tar.gz of all files
    pins: str = ""  #: the text of requirements.txt

    @property
    def sha(self) -> str:
        """The archive's sha256."""
        return hashlib.sha256(self.archive).hexdigest()

    @property
    def sbom(self) -> bytes:
        """The release's bill of materials, as CycloneDX JSON."""
        return bill_of_materials(self.wheel, self.release, self.version, self.pins)

    def build(self, base_image: str) -> str:
        """The name of what becomes of this bundle on a base image: equal names, equal images."""
        return sha_of({"bundle": self.sha, "base": base_image})


def make_bundle(project: Path) -> Bundle:
    """Build the wheel of a checkout and pack it with what else the builder needs.

    Equal sources give equal bytes.

    Raises:
        ServiceError: if this is no checkout, or its wheel cannot be built.
    """
    if not (project / "pyproject.toml").is_file():
        raise ServiceError(
            f"{project} is no checkout of Gridwell: an image is baked from its source"
        )
    name, wheel = _build_wheel(project)
    pins = (project / "requirements.txt").read_bytes()
    files = {name: wheel, "requirements.txt": pins}
    folder = importlib.resources.files("ami")
    files |= {file: folder.joinpath(file).read_bytes() for file in _MACHINE_FILES}
    return Bundle(
        version=__version__,
        commit=_commit(project),
        release=hashlib.sha256(wheel).hexdigest(),
        wheel=wheel,
        archive=_pack(files),
        pins=pins.decode(),
    )


def _build_wheel(project: Path) -> tuple[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        run = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if run.returncode != 0 or len(wheels) != 1:
            raise ServiceError(f"the wheel of {project} cannot be built:\n{run.stdout}{run.stderr}")
        return wheels[0].name, wheels[0].read_bytes()


def _commit(project: Path) -> str:
    """The commit of a checkout, marked if there are changes on top; "unknown" without git."""

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
    # Neither gzip nor tar may note the time: equal files are to give equal bytes.
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            archive.addfile(entry, io.BytesIO(files[name]))
    return packed.getvalue()
