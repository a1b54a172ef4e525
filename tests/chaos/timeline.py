"""What happened when: in a file, and its end in memory for whoever reads of a violation."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LAST = 60


class Timeline:
    """Takes events from any thread.

    Args:
        file: where all of them go.
        aloud: whether they are printed, too.
    """

    def __init__(self, file: Path, *, aloud: bool) -> None:
        self._began = time.monotonic()
        self._file = file.open("w", buffering=1)
        self._aloud = aloud
        self._lock = threading.Lock()
        self._last: deque[str] = deque(maxlen=_LAST)
        self.violations: list[str] = []

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    def note(self, words: str, *, aloud: bool = False) -> None:
        """Remember an event; one that is `aloud` is progress, which people see."""
        with self._lock:
            line = f"[{self.age:7.1f} s] {words}"
            self._last.append(line)
            self._file.write(line + "\n")
            if aloud and self._aloud:
                sys.stdout.write(line + "\n")
                sys.stdout.flush()

    def violation(self, words: str) -> None:
        """Remember that something is not as it must be."""
        self.violations.append(words)
        self.note(f"VIOLATION: {words}", aloud=True)

    def last(self) -> list[str]:
        """The latest events."""
        with self._lock:
            return list(self._last)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()
