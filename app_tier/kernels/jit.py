"""Numba, where it is installed (`pip install gridwell[fast]`): never required."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

_njit: Any
try:
    import numba
except ImportError:  # not installed, or not made for this numpy: numpy's kernels do all it does
    _njit = None
else:
    _njit = numba.njit

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

COMPILES: Final = _njit is not None  #: whether `compiled` can be called

#: Only "contract": operations may be fused, nothing may be reordered, and zeros, infinities and
#: not-a-numbers stay what they are.  The other error model looks at each divisor, one by one.
_OPTIONS: Final = {"fastmath": {"contract"}, "error_model": "numpy"}


def compiled(function: F, *, inline: bool = False) -> F:
    """The function as machine code, compiled at its first call and kept on disk for the next one.

    Numba compiles it anew when the function's own file changes, not when that of a function does
    which it calls: keep what is compiled together in one file.

    Args:
        function: of numbers and numpy arrays.
        inline: to be compiled into its callers, for what is called in an inner loop.
    """
    made: F
    if inline:
        made = _njit(inline="always", **_OPTIONS)(function)
        return made
    try:
        made = _njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:
        # Neither the package's directory nor the user's can be written: each process compiles,
        # which takes half a second for the sum, and some ten for the search.
        made = _njit(**_OPTIONS)(function)
    return made


def kept_in() -> Path | None:
    """The folder in which machine code is kept, if there is any that can be."""
    folder = _njit(cache=True)(_nothing).stats.cache_path if COMPILES else None
    return None if folder is None else Path(folder)


def _nothing() -> None:
    """Be compiled."""


def compiler() -> str:
    """Numba's version and the processor that it compiles for."""
    from llvmlite import binding  # noqa: PLC0415 - only where numba is installed

    processor = binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
    return " ".join([numba.__version__, *processor])
