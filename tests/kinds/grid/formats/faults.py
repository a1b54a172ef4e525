"""What a file of atoms is refused for."""

from __future__ import annotations

import pytest

from gridwell.engine.errors import InvalidJob
from gridwell.kinds.grid.formats import read_atoms


def refused(data: bytes | str, name: str = "") -> list[str]:
    """The details of all faults."""
    with pytest.raises(InvalidJob) as raised:
        read_atoms(data.encode() if isinstance(data, str) else data, name)
    assert all(fault.pointer.startswith("/atoms") for fault in raised.value.faults)
    return [fault.detail for fault in raised.value.faults]
