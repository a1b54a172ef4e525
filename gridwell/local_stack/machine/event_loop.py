"""The event loop of the first process: children, timers and sockets in one thread.

A first process must reap whatever is orphaned onto it, which no thread that waits for one child
of its own can do without stealing another's exit status.  Hence one thread and one waitpid.
"""

from __future__ import annotations

import heapq
import itertools
import os
import selectors
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Timer:
    """A call that is due at some moment, until it is cancelled."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Never call; harmless when it is too late."""
        self._call = None

    def fire(self) -> None:
        """Call, unless cancelled."""
        call, self._call = self._call, None
        if call is not None:
            call()


class Loop:
    """Runs callbacks for exits, timers and readable files.  Make one per process."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._children: dict[int, tuple[subprocess.Popen[bytes], Callable[[int], None]]] = {}
        waking, self._woken = socket.socketpair()
        waking.settimeout(0)
        self._woken.settimeout(0)
        self._waking = waking  # kept: signals write to it
        self.watch(self._woken, lambda: self._woken.recv(4096))
        signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def spawn(
        self,
        argv: Sequence[str],
        on_exit: Callable[[int], None],
        *,
        env: Mapping[str, str],
        cwd: str | None = None,
    ) -> int:
        """Start a child in its own session, its output on the console.

        Args:
            argv: the command.
            on_exit: called with its exit status, negative for a signal.
            env: all of its environment.
            cwd: where it starts.

        Returns:
            Its process id, good until `on_exit` is called.

        Raises:
            OSError: it cannot be executed.
        """
        child = subprocess.Popen(
            argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, start_new_session=True
        )
        self._children[child.pid] = (child, on_exit)
        return child.pid

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call once, `seconds` from now."""
        timer = Timer(call)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), timer))
        return timer

    def watch(self, file: Any, call: Callable[[], Any]) -> None:
        """Call whenever the file can be read."""
        self._selector.register(file, selectors.EVENT_READ, call)

    def unwatch(self, file: Any) -> None:
        """Stop watching a file."""
        self._selector.unregister(file)

    def run_until(self, done: Callable[[], bool]) -> None:
        """Serve events until `done()`."""
        while True:
            self._reap()
            self._fire_timers()
            if done():
                return
            wait = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
            for key, _ in self._selector.select(wait):
                key.data()

    def _fire_timers(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2].fire()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._children:
                child, on_exit = self._children.pop(pid)
                child.returncode = os.waitstatus_to_exitcode(status)
                on_exit(child.returncode)
