"""Sampling of log events, so that callers cannot flood the log.

Of equal events the first is written at once, and the others as a count when their window is over.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

WINDOW_SECONDS: Final = 30.0
SUBJECTS: Final = 20  #: of one event and window; further ones are counted together
OTHERS: Final = "*"  #: the subject that they are counted under


@dataclass(frozen=True, slots=True)
class Line:
    """A line to write."""

    event: str
    fields: Mapping[str, Any]
    count: int  #: how many events it stands for


@dataclass(slots=True)
class _Window:
    began: float
    fields: Mapping[str, Any]
    more: int = 0  #: events since the first, which was written


@dataclass(slots=True)
class Sampler:
    """Groups of equal events by event and subject."""

    _windows: OrderedDict[tuple[str, str], _Window] = field(default_factory=OrderedDict)

    def note(
        self, event: str, subject: str, fields: Mapping[str, Any], *, now: float
    ) -> list[Line]:
        """Take an event.

        Args:
            event: what happened.
            subject: its cause; events of one subject are counted together.
            fields: more about it.
            now: the time, which does not go back.

        Returns:
            The lines to write now: at most one for this event, and the counts that are due.
        """
        lines = self._due(now)
        if (event, subject) not in self._windows:
            known = sum(1 for of, _ in self._windows if of == event)
            if known >= SUBJECTS:
                subject, fields = OTHERS, {**fields, "subject": OTHERS}
        window = self._windows.get((event, subject))
        if window is None:
            self._windows[event, subject] = _Window(now, fields)
            return [*lines, Line(event, fields, 1)]
        window.more += 1
        window.fields = fields
        return lines

    def _due(self, now: float) -> list[Line]:
        lines = []
        while self._windows:
            (event, _), window = next(iter(self._windows.items()))
            if now - window.began < WINDOW_SECONDS:
                break
            self._windows.popitem(last=False)
            if window.more:
                lines.append(Line(event, window.fields, window.more))
        return lines
