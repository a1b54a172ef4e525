"""The pinned packages of requirements.txt, and the part of them that a worker needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Final

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gridwell.engine.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def _linux(python: str) -> dict[str, str]:
    return {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.2",
        "python_version": python,
        "sys_platform": "linux",
    }


#: The Python of the image that a bake starts from by default, see `provision.sh`.
DEBIAN_12: Final = _linux("3.11")
#: The Pythons that an image may have: a base image can be given, and a laptop bakes on its own.
IMAGES: Final = (DEBIAN_12, *map(_linux, ("3.12", "3.13", "3.14")))

_PIN: Final = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\\n]+))?"
)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One package of requirements.txt."""

    name: str
    version: str
    hashes: tuple[str, ...]  #: sha256 of its files, for every platform
    marker: str = ""  #: the environments that it is for; empty: all

    @property
    def requirement(self) -> str:
        """The pin as a wheel's metadata state it."""
        marker = f" ; {self.marker}" if self.marker else ""
        return f"{self.name}=={self.version}{marker}"

    @property
    def entry(self) -> str:
        """The pin as pip reads it, without the comments of requirements.txt."""
        hashes = (f"--hash=sha256:{sha}" for sha in self.hashes)
        return " \\\n    ".join((self.requirement, *hashes)) + "\n"

    def is_for(self, environments: Iterable[Mapping[str, str]]) -> bool:
        """Return whether one of the environments takes this pin."""
        return not self.marker or any(Marker(self.marker).evaluate({**e}) for e in environments)


def needed(
    asked: Iterable[str],
    requirements: str,
    environments: Iterable[Mapping[str, str]] = IMAGES,
) -> list[Pin]:
    """Return the pins that some requirements need, directly or through others, by name.

    The requirements of a package are read from the one that is installed here, which
    requirements.txt pins as well.

    Args:
        asked: requirements, as a wheel's metadata state them.
        requirements: the text of requirements.txt.
        environments: values of the environment markers; a pin of any of them counts.

    Raises:
        ServiceError: if a package is not installed, or not pinned.
    """
    environments = tuple(environments)
    found: set[tuple[str, str]] = set()
    waiting = set(_packages(asked, "", environments))
    while waiting:
        name, extra = waiting.pop()
        found.add((name, extra))
        try:
            required = distribution(name).requires or ()
        except PackageNotFoundError as error:
            raise ServiceError(f"{name} is not installed; `make .venv/ready` does it") from error
        waiting |= set(_packages(required, extra, environments)) - found
    names = {name for name, _ in found}
    pins = [pin for pin in pins_of(requirements) if pin.name in names and pin.is_for(environments)]
    if missing := sorted(names - {pin.name for pin in pins}):
        raise ServiceError(f"requirements.txt pins no {', '.join(missing)}; `make lock` does it")
    return sorted(pins, key=lambda pin: (pin.name, pin.marker))


def _packages(
    requirements: Iterable[str], extra: str, environments: tuple[Mapping[str, str], ...]
) -> Iterator[tuple[str, str]]:
    """Yield the names of packages that an extra of one asks for (empty: none), each with extras."""
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or any(
            requirement.marker.evaluate({**environment, "extra": extra})
            for environment in environments
        ):
            name = canonicalize_name(requirement.name)
            yield from ((name, one) for one in ("", *requirement.extras))


def pins_of(requirements: str) -> Iterator[Pin]:
    """Yield the packages of requirements.txt."""
    for entry in re.split(r"\n(?=[A-Za-z0-9])", requirements):
        if found := _PIN.match(entry):
            yield Pin(
                name=canonicalize_name(found["name"]),
                version=found["version"],
                hashes=tuple(_HASH.findall(entry)),
                marker=(found["marker"] or "").strip(),
            )
