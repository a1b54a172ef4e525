"""A release's bill of materials: the packages that its image installs, in CycloneDX's JSON."""

from __future__ import annotations

import email
import io
import json
import re
import uuid
import zipfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Any, Final

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gridwell.domain.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What decides which of two pins an image takes: Debian 12's Python, see `provision.sh`.
_IMAGE: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.2",
    "python_version": "3.11",
    "sys_platform": "linux",
}
_PIN: Final = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+))?"
)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One package of requirements.txt."""

    name: str
    version: str
    hashes: tuple[str, ...]  #: sha256 of its files, for every platform


def bill_of_materials(wheel: bytes, sha: str, version: str, requirements: str) -> bytes:
    """Return the bill of materials of a release: equal releases give equal bytes.

    Args:
        wheel: of the release.
        sha: its sha256.
        version: of the release.
        requirements: the text of requirements.txt.
    """
    components = [_component(pin) for pin in installed(wheel, requirements)]
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.UUID(hex=sha[:32], version=4).urn,
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "gridwell",
                "name": "gridwell",
                "version": version,
                "hashes": [{"alg": "SHA-256", "content": sha}],
            }
        },
        "components": components,
    }
    return f"{json.dumps(bill, indent=1, sort_keys=True)}\n".encode()


def installed(wheel: bytes, requirements: str) -> list[Pin]:
    """Return the pins that the image of a release installs, by name.

    What a package asks for is read from the one that is installed here, which requirements.txt
    pins as well.

    Raises:
        ServiceError: if a package is not installed, or not pinned.
    """
    pins = {pin.name: pin for pin in _pins(requirements)}
    found: set[tuple[str, str]] = set()
    waiting = set(_asked_for(_requirements_of(wheel), ""))
    while waiting:
        name, extra = waiting.pop()
        found.add((name, extra))
        try:
            asked = distribution(name).requires or ()
        except PackageNotFoundError as error:
            raise ServiceError(f"{name} is not installed; `make .venv/ready` does it") from error
        waiting |= set(_asked_for(asked, extra)) - found
    names = sorted({name for name, _ in found})
    if missing := [name for name in names if name not in pins]:
        raise ServiceError(f"requirements.txt pins no {', '.join(missing)}; `make lock` does it")
    return [pins[name] for name in names]


def _requirements_of(wheel: bytes) -> list[str]:
    """Return what a wheel asks for."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    return list(metadata.get_all("Requires-Dist") or ())


def _asked_for(requirements: Iterable[str], extra: str) -> Iterator[tuple[str, str]]:
    """Yield the names of packages that an extra of one asks for (empty: none), each with extras."""
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({**_IMAGE, "extra": extra}):
            name = canonicalize_name(requirement.name)
            yield from ((name, one) for one in ("", *requirement.extras))


def _pins(requirements: str) -> Iterator[Pin]:
    """Yield the packages of requirements.txt that are for the image's Python."""
    for entry in re.split(r"\n(?=[A-Za-z0-9])", requirements):
        found = _PIN.match(entry)
        if found is None or (found["marker"] and not Marker(found["marker"]).evaluate(_IMAGE)):
            continue
        yield Pin(
            name=canonicalize_name(found["name"]),
            version=found["version"],
            hashes=tuple(_HASH.findall(entry)),
        )


def _component(pin: Pin) -> dict[str, Any]:
    purl = f"pkg:pypi/{pin.name}@{pin.version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": pin.name,
        "version": pin.version,
        "purl": purl,
        # Of each file that may be installed: which of them an image takes depends on its machine.
        "externalReferences": [
            {
                "type": "distribution",
                "url": f"{purl}?checksum=sha256:{sha}",
                "hashes": [{"alg": "SHA-256", "content": sha}],
            }
            for sha in pin.hashes
        ],
    }
