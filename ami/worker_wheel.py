"""The wheel that instances run: the app tier, the modules that it imports, and nothing else.

Its bytes name the release.  What no worker imports (pages, client, local stack, autoscaler) is not
in it, so a change there makes no release.  Its metadata pin the packages that a worker needs, so
another version of one makes another release.
"""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hatchling.builders.wheel import WheelBuilder

from ami.imports import import_closure
from gridwell.engine.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ami.pins import Pin

NAME: Final = "gridwell-worker"
ENTRY: Final = "app_tier"  #: the package that the worker's unit starts; the wheel holds all of it


def worker_files(project: Path) -> list[str]:
    """Return the files of a checkout that a worker needs, as sorted paths relative to it.

    These are the app tier, the modules that it imports, and the data files beside all of them.

    Raises:
        ServiceError: if the checkout has no app tier, or a module cannot be parsed.
    """
    sources = import_closure(project, ENTRY)
    near = {file for source in sources for file in source.parent.iterdir()}
    data = {file for file in near.union((project / ENTRY).rglob("*")) if _is_data(file)}
    return sorted(file.relative_to(project).as_posix() for file in sources | data)


def build_worker_wheel(project: Path, version: str, pins: Iterable[Pin]) -> tuple[str, bytes]:
    """Build the wheel of a checkout's worker; equal sources and pins give equal bytes.

    Args:
        project: the checkout.
        version: of the release.
        pins: the packages that a worker needs.

    Returns:
        The wheel's file name and its bytes.

    Raises:
        ServiceError: if the wheel cannot be built.
    """
    wheel = {"only-include": worker_files(project)}
    config: dict[str, Any] = {
        "project": {
            "name": NAME,
            "version": version,
            "license": "Apache-2.0",
            "license-files": ["LICENSE"],
            **worker_metadata(project),
            "dependencies": [pin.requirement for pin in pins],
        },
        "tool": {"hatch": {"build": {"targets": {"wheel": wheel}}}},
    }
    try:
        with tempfile.TemporaryDirectory() as folder:
            builder = WheelBuilder(str(project), config=config)
            (built,) = map(Path, builder.build(directory=folder, versions=["standard"]))
            return built.name, built.read_bytes()
    except (OSError, TypeError, ValueError) as error:
        raise ServiceError(f"the worker's wheel of {project} cannot be built: {error}") from error


def worker_metadata(project: Path) -> dict[str, Any]:
    """Return what a checkout's pyproject.toml asks for on behalf of a worker.

    Returns:
        The values of `requires-python` and `dependencies`, by these names.

    Raises:
        ServiceError: if the file cannot be read, or lacks one of them.
    """
    file = project / "pyproject.toml"
    try:
        table = tomllib.loads(file.read_text("utf-8"))["project"]
        return {name: table[name] for name in ("requires-python", "dependencies")}
    except (OSError, ValueError, KeyError) as error:
        raise ServiceError(f"{file} cannot be read: {error!r}") from error


def _is_data(file: Path) -> bool:
    """Return whether a module may read this file: no source, no cache, nothing hidden."""
    return file.suffix not in {".py", ".pyc"} and not file.name.startswith(".") and file.is_file()
