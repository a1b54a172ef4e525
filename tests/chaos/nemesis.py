"""The blows of a plan, each when there is somebody to hit."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from tests.chaos.failpoints import FAILPOINTS, Trap, lure_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.chaos.plan import Strike
    from tests.chaos.targets import Arena, Blow

#: No blow could fall for so long: whom they should hit never came back.
_NOBODY_SECONDS: Final = 150.0
_LOOK_SECONDS: Final = 0.02
_WINDOW: Final = 4  #: blows that may overtake one that finds nobody
_TELL_EVERY: Final = 10


class Siege:
    """Goes through a plan.

    Args:
        arena: where the blows fall.
        trap: for the failpoints.
        kinds: all blows by name, but for the failpoints.
        strikes: the plan.
    """

    def __init__(
        self,
        arena: Arena,
        trap: Trap,
        kinds: Mapping[str, Blow],
        strikes: list[Strike],
    ) -> None:
        self.struck: Counter[str] = Counter()
        self.kills = 0
        self._arena = arena
        self._timeline = arena.timeline
        self._trap = trap
        self._kinds = kinds
        self._waiting = strikes
        self._count = len(strikes)
        self._set: Strike | None = None
        self._hit_at = self._due = time.monotonic()

    def go(self, tell: Callable[[], str]) -> None:
        """Strike until all blows have fallen and are over.

        Args:
            tell: more words for the progress.
        """
        while self._waiting or self._set is not None or self._arena.open:
            self._arena.stack.check()
            self._arena.do_due()
            if not self._arena.region_still:
                self._look_at_trap(tell)
            now = time.monotonic()
            if self._waiting and now >= self._due:
                self._strike(tell)
            if self._waiting and now - self._hit_at > _NOBODY_SECONDS:
                kinds = sorted({strike.kind for strike in self._waiting})
                self._timeline.violation(f"nobody to hit for {_NOBODY_SECONDS:g} s: {kinds}")
                return
            time.sleep(_LOOK_SECONDS)

    def _strike(self, tell: Callable[[], str]) -> None:
        """Let the first blow fall that finds somebody."""
        for place, strike in enumerate(self._waiting[:_WINDOW]):
            if strike.kind in FAILPOINTS:
                if self._set_trap(strike):
                    self._set = self._waiting.pop(place)
                    self._due = time.monotonic() + strike.pause
                    return
                continue
            words = self._kinds[strike.kind](self._arena, strike)
            if words is not None:
                self._note(self._waiting.pop(place), words, tell)
                self._due = self._hit_at + strike.pause
                return

    def _set_trap(self, strike: Strike) -> bool:
        """Set the trap, unless it is set, and bring about what rarely happens by itself."""
        point = FAILPOINTS[strike.kind]
        if self._trap.is_set or self._arena.region_still or not self._trap.set(point):
            return False
        if (lure := lure_for(point)) is not None:
            words = self._kinds[lure](self._arena, strike)
            self._timeline.note(f"to get the {strike.kind}: {lure}, {words}")
        return True

    def _look_at_trap(self, tell: Callable[[], str]) -> None:
        strike, struck = self._set, self._trap.look()
        if strike is None or struck is None:
            return
        self._set = None
        if struck:
            self._note(strike, "", tell)
        else:
            self._timeline.note(f"{strike.kind}: nobody came by; tried again later")
            self._waiting.append(strike)

    def _note(self, strike: Strike, words: str, tell: Callable[[], str]) -> None:
        self.struck[strike.kind] += 1
        self.kills += strike.counts
        self._hit_at = time.monotonic()
        self._timeline.note(f"{strike.kind}: {words}" if words else strike.kind)
        if self.struck.total() % _TELL_EVERY == 0 or not self._waiting:
            self._timeline.note(
                f"{self.struck.total()} of {self._count} blows, {self.kills} kills; {tell()}",
                aloud=True,
            )
