"""What operators did by commands: the record that outlives the command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

LONGEST_SUBJECT: Final = 64  #: characters of a subject that the operator gave
KEPT_DAYS: Final = 400  #: more than a year, so that each yearly review sees all of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that an operator did, or was about to do when the command was cut off."""

    at: float  #: seconds since 1970
    operator: str  #: as AWS knows them
    action: str  #: such as `keys.create`
    subject: str  #: what it was done to
    detail: str = ""


class AuditLog(Protocol):
    """What operators did by commands."""

    def note(self, action: str, *, subject: str, now: float, detail: str = "") -> Act:
        """Add an act of whoever runs this command; call it before the act itself.

        A call that is repeated as its reply was lost may add it twice.

        Args:
            action: such as `keys.create`.
            subject: what it is done to.
            now: the time.
            detail: more about it; no secret.
        """

    def acts(self, *, first_day: int, last_day: int) -> tuple[Act, ...]:
        """Return the acts of some days in UTC, counted from 1970, the newest first."""
