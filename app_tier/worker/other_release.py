"""What a worker met that another release wrote, and keeps away from.  Pure: time is passed in.

A queue gives no choice of messages, and giving one back counts as a receive.  So a worker that met
nothing but what was given back before lets the queue be for a while: the next receive shall be
another release's.
"""

from __future__ import annotations

from typing import Final

REST_SECONDS: Final = 5.0
_REMEMBERED: Final = 300.0  #: seconds


class OtherReleaseMessages:
    """Work of other releases, as lately met."""

    def __init__(self) -> None:
        self._until = float("-inf")
        self._problems: dict[str, tuple[float, str]] = {}
        self._said: tuple[float, str] = (float("-inf"), "")

    def met(self, why: str, now: float) -> None:
        """Remember, for people, that there was something that this release cannot do."""
        self._said = now + _REMEMBERED, why

    def rest(self, now: float) -> None:
        """Let the queue be for some seconds."""
        self._until = now + REST_SECONDS

    def left(self, now: float) -> float:
        """Seconds of the rest that are left, or 0."""
        return max(0.0, self._until - now)

    def refuse(self, problem: str, why: str, now: float) -> None:
        """Take no chunks of a problem for some minutes."""
        self._problems = {sha: kept for sha, kept in self._problems.items() if kept[0] > now}
        self._problems[problem] = now + _REMEMBERED, why

    def why(self, problem: str, now: float) -> str | None:
        """Why chunks of a problem are refused, if they are."""
        until, why = self._problems.get(problem, (now, ""))
        return why if until > now else None

    def said(self, now: float) -> str:
        """The last thing refused, if that is not long ago; else nothing."""
        until, why = self._said
        return why if until > now else ""
