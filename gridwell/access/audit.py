"""What operators did by commands: the record that outlives the command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

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
