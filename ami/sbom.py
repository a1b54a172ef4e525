"""A release's bill of materials: the packages that its image installs, in CycloneDX's JSON."""

from __future__ import annotations

import email
import io
import json
import uuid
import zipfile
from typing import TYPE_CHECKING, Any

from ami.pins import DEBIAN_12, needed
from ami.worker_wheel import NAME

if TYPE_CHECKING:
    from ami.pins import Pin


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
                "bom-ref": NAME,
                "name": NAME,
                "version": version,
                "hashes": [{"alg": "SHA-256", "content": sha}],
            }
        },
        "components": components,
    }
    return f"{json.dumps(bill, indent=1, sort_keys=True)}\n".encode()


def installed(wheel: bytes, requirements: str) -> list[Pin]:
    """Return the pins that the image of a release installs, by name.

    Raises:
        ServiceError: if a package is not installed here, or not pinned.
    """
    return needed(_requirements_of(wheel), requirements, [DEBIAN_12])


def _requirements_of(wheel: bytes) -> list[str]:
    """Return what a wheel asks for."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    return list(metadata.get_all("Requires-Dist") or ())


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
