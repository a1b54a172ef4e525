"""The bill of materials of a release: valid, complete, and the same for the same release."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from ami.sbom import bill_of_materials, installed
from gridwell.engine.errors import ServiceError
from tests.local_stack.conftest import ROOT

if TYPE_CHECKING:
    from ami.bundle import Bundle

PINS = (ROOT / "requirements.txt").read_text()


def bill_of(bundle: Bundle) -> dict[str, Any]:
    bill: dict[str, Any] = json.loads(bundle.sbom)
    return bill


def test_the_bill_is_valid_by_the_schema_of_cyclonedx(bundle: Bundle) -> None:
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(bundle.sbom.decode())

    assert fault is None, str(fault)[:1000]


def test_the_bill_names_the_release_and_its_sha256(bundle: Bundle) -> None:
    release = bill_of(bundle)["metadata"]["component"]

    assert release["version"] == bundle.version
    assert release["hashes"] == [{"alg": "SHA-256", "content": bundle.release}]


def test_the_bill_holds_what_the_wheel_asks_for_and_what_that_asks_for_and_no_more(
    bundle: Bundle,
) -> None:
    names = {component["name"] for component in bill_of(bundle)["components"]}

    assert {"boto3", "botocore", "click", "numpy", "pydantic", "pydantic-settings"} < names
    # Of what the wheel does not ask for, and of what only an extra of its libraries does.
    assert not names & {"gridwell", "flask", "moto", "pytest", "email-validator", "dnspython"}


def test_what_is_not_installed_or_not_pinned_is_told(bundle: Bundle) -> None:
    with pytest.raises(ServiceError, match=r"requirements\.txt pins no numpy"):
        installed(bundle.wheel, PINS.replace("numpy==", "mumpy=="))
    with pytest.raises(ServiceError, match="absent-library is not installed"):
        installed(asking_for("absent-library"), PINS)


def asking_for(name: str) -> bytes:
    """A wheel that asks for one package."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x-1.dist-info/METADATA", f"Name: x\nRequires-Dist: {name}\n")
    return file.getvalue()


def test_each_component_has_its_pin_and_the_hashes_of_its_files(bundle: Bundle) -> None:
    for component in bill_of(bundle)["components"]:
        assert f"{component['name']}=={component['version']}" in PINS
        hashes = [one["hashes"][0]["content"] for one in component["externalReferences"]]
        assert hashes
        assert all(f"--hash=sha256:{sha}" in PINS for sha in hashes)


def test_equal_releases_have_equal_bills_and_another_pin_has_another(bundle: Bundle) -> None:
    again = bill_of_materials(bundle.wheel, bundle.release, bundle.version, PINS)
    (numpy,) = (pin for pin in installed(bundle.wheel, PINS) if pin.name == "numpy")
    other = PINS.replace(f"numpy=={numpy.version}", "numpy==9.9.9")

    assert again == bundle.sbom
    assert replace(numpy, version="9.9.9") in installed(bundle.wheel, other)
