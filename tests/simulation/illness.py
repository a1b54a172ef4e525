"""Machines that are on, beat, and do not compute: drawn at an instance's first boot, for its life.

A restart heals none of them; only another instance is well.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from gridwell.engine.task_failure import MACHINE_FAILED, PROCESS_DIED

if TYPE_CHECKING:
    from tests.simulation.faults import Faults

TEXT: Final = "OSError(28, 'No space left on device')"


class Illness(enum.Enum):
    """What is wrong with a machine; the value is the kind of fault."""

    FAILS = "machine fails"  #: each computation, its self-test too
    FULL = "machine is full"  #: its disk takes nothing
    HANGS = "machine hangs"  #: no computation ends
    SLY = "machine fails slyly"  #: each computation but its self-test

    @property
    def code(self) -> str:
        """The code of the errors that its computations end with."""
        return PROCESS_DIED if self is Illness.FAILS else MACHINE_FAILED

    @property
    def is_seen(self) -> bool:
        """Whether its self-test tells."""
        return self is not Illness.SLY


def drawn(faults: Faults) -> Illness | None:
    """Return what is wrong with a new machine; None: nothing."""
    return next((illness for illness in Illness if faults.strike(illness.value)), None)
