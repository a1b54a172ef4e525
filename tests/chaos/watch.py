"""A look at the fleet four times a second: its cap must never be passed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from tests.chaos.stack import Stack
    from tests.chaos.timeline import Timeline

_EVERY_SECONDS: Final = 0.25


class Watch:
    """Looks in a thread until closed.

    Args:
        stack: whose fleet.
        timeline: is told of a fleet that is too large.
    """

    def __init__(self, stack: Stack, timeline: Timeline) -> None:
        self.looks = 0
        self.largest = 0  #: instances that are not terminated
        self._stack = stack
        self._timeline = timeline
        self._over = threading.Event()
        self._states: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            try:
                states = self._stack.fleet()
            except (BotoCoreError, ClientError):
                continue  # the region is away, which is one of the strikes
            self.looks += 1
            for name, state in states.items():
                if self._states.get(name) != state:
                    self._timeline.note(f"instance {name} is {state}")
            self._states = states
            standing = [state for state in states.values() if state != "terminated"]
            if len(standing) > max(self.largest, self._stack.cap):
                self._timeline.violation(
                    f"{len(standing)} instances, the cap is {self._stack.cap}: {states}"
                )
            self.largest = max(self.largest, len(standing))
