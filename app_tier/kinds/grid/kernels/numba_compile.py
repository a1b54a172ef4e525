"""Numba, where it is installed (`pip install gridwell[fast]`): never required."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

_njit: Any
_settings: Any
try:
    import numba
except ImportError:  # not installed, or not made for this numpy: numpy's kernels do all it does
    _njit = _settings = None
else:
    _njit, _settings = numba.njit, numba.config

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

COMPILES: Final = _njit is not None  #: whether `compiled` can be called

#: Only "contract": operations may be fused, nothing may be reordered, and zeros, infinities and
#: not-a-numbers stay what they are.  The other error model looks at each divisor, one by one.
_OPTIONS: Final = {"fastmath": {"contract"}, "error_model": "numpy"}


def compiled(function: F, *, inline: bool = False) -> F:
    """Return the function as machine code, compiled at its first call and kept in `cache_folder`.

    Args:
        function: of numbers and numpy arrays.
        inline: to be compiled into its callers, for what is called in an inner loop.
    """
    made: F
    if inline:
        made = _njit(inline="always", **_OPTIONS)(function)
        return made
    folder = cache_folder()
    kept = None if folder is None else _kept(function, folder)
    if kept is not None:
        made = kept
        return made
    # No directory can be written: each process compiles, which takes half a second for the sum,
    # and some ten for the search.
    made = _njit(**_OPTIONS)(function)
    return made


@cache
def cache_folder() -> Path | None:
    """Return the folder that keeps machine code made of these sources; None: none can be written.

    Numba compares a function's own file alone with the one it compiled, and neither the functions
    that it calls nor the constants that it uses.  So the folder is named after all sources, and is
    another one when any of them changes.
    """
    place = _kept(_nothing, None) if COMPILES else None
    if place is None:
        return None
    folder = Path(place.stats.cache_path) / f"gridwell-{fingerprint(Path(__file__).parent)}"
    return None if _kept(_nothing, folder) is None else folder


def fingerprint(sources: Path) -> str:
    """Return the name of all Python files below a folder, of numba, and of this processor."""
    found = hashlib.sha256(compiler().encode())
    for file in sorted(sources.rglob("*.py")):
        data = file.read_bytes()
        found.update(f"\0{file.relative_to(sources).as_posix()} {len(data)}\0".encode())
        found.update(data)
    return found.hexdigest()[:16]


def _kept(function: Any, folder: Path | None) -> Any | None:
    """Return the function, with machine code cached below a folder if possible (None: numba's).

    Numba would keep it somewhere else where it cannot write the folder.
    """
    usual = _settings.CACHE_DIR
    _settings.CACHE_DIR = usual if folder is None else str(folder)
    try:
        made = _njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # nowhere
        return None
    finally:
        _settings.CACHE_DIR = usual
    return made if folder is None or folder in Path(made.stats.cache_path).parents else None


def _nothing() -> None:
    """Be compiled."""


def compiler() -> str:
    """Numba's version and the processor that it compiles for."""
    from llvmlite import binding  # noqa: PLC0415 - only where numba is installed

    processor = binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
    return " ".join([numba.__version__, *processor])
