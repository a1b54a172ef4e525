"""Checks of services with a time limit."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import GridwellError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gridwell.engine.ports import Clock

LOOK_SECONDS: Final = 2.0  #: for all of them together
KEPT_SECONDS: Final = 5.0  #: for which all callers get the same result


class Checks:
    """Checks that run in parallel, each in a thread of its own.

    A check that hangs keeps its thread and is not started again before it returns.  So there are
    never more threads than checks.

    Args:
        checks: by name; a check that fails raises a `GridwellError`.
        clock: measures the age of results.
        seconds: for all checks together.
    """

    def __init__(
        self,
        checks: Mapping[str, Callable[[], object]],
        *,
        clock: Clock,
        seconds: float = LOOK_SECONDS,
    ) -> None:
        self._checks = dict(checks)
        self._clock = clock
        self._seconds = seconds
        self._lock = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}
        self._problems: dict[str, str] = {}
        self._looked_at = float("-inf")

    def problems(self) -> dict[str, str]:
        """Return the messages of the checks that fail or do not return in time, by name."""
        with self._lock:  # other callers wait for the same results
            if self._clock.monotonic() - self._looked_at >= KEPT_SECONDS:
                self._look()
                self._looked_at = self._clock.monotonic()
            return dict(self._problems)

    def _look(self) -> None:
        answers: dict[str, str] = {}
        for name, check in self._checks.items():
            hung = self._threads.get(name)
            if hung is None or not hung.is_alive():
                thread = threading.Thread(
                    target=_ask, args=(name, check, answers), name=f"check-{name}", daemon=True
                )
                self._threads[name] = thread
                thread.start()
        left = self._seconds
        began = self._clock.monotonic()
        for thread in self._threads.values():
            thread.join(max(0.0, left))
            left = self._seconds - (self._clock.monotonic() - began)
        silent = f"no answer within {self._seconds:g} s"
        messages = {name: answers.get(name, silent) for name in self._checks}
        self._problems = {name: message for name, message in messages.items() if message}


def _ask(name: str, check: Callable[[], object], answers: dict[str, str]) -> None:
    try:
        check()
    except GridwellError as error:
        answers[name] = f"{type(error).__name__}: {error}"
    else:
        answers[name] = ""
