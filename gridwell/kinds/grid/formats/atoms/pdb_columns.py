"""PDB's columns for coordinates: eight characters each, three decimals, nothing between them."""

from __future__ import annotations

from typing import Final

_LEAST: Final = -999.999
_LARGEST: Final = 9999.999


def columns(position: tuple[float, float, float]) -> str:
    """Columns 31 to 54."""
    return "".join(f"{value:8.3f}" for value in position)


def misfit(position: tuple[float, float, float]) -> str | None:
    """Return the fault of a position that the columns cannot hold, or None."""
    for axis, value in zip("xyz", position, strict=True):
        if not _LEAST <= round(value, 3) <= _LARGEST:
            return (
                f"{axis} = {value!r} does not fit into PDB's eight columns, which hold "
                f"{_LEAST} to {_LARGEST}; shift the molecule, or take CSV"
            )
    return None
