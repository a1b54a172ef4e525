"""What operators did, in memory."""

from __future__ import annotations

import threading
from typing import Final

from gridwell.access.quota import day_of
from gridwell.engine.audit import Act

OPERATOR: Final = "an operator"


class MemoryAuditLog:
    """Keeps the promises of `gridwell.engine.audit.AuditLog`."""

    def __init__(self) -> None:
        self._acts: list[Act] = []
        self._lock = threading.Lock()

    def note(self, action: str, *, subject: str, now: float, detail: str = "") -> Act:
        """See `gridwell.engine.audit.AuditLog`."""
        act = Act(at=now, operator=OPERATOR, action=action, subject=subject, detail=detail)
        with self._lock:
            self._acts.append(act)
        return act

    def acts(self, *, first_day: int, last_day: int) -> tuple[Act, ...]:
        """See `gridwell.engine.audit.AuditLog`."""
        with self._lock:
            found = [act for act in self._acts if first_day <= day_of(act.at) <= last_day]
        found.sort(key=lambda act: act.at)
        return tuple(reversed(found))
