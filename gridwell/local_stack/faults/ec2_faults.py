"""EC2 host with faults: starts that fall back, boots that hang."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from gridwell.local_stack.region.instance_lifecycle import HARDWARE_FAILURE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gridwell.local_stack.faults.injector import Strike
    from gridwell.local_stack.region.instance_lifecycle import Lifecycle, MachineHost

MUTE: Final = "offer never speaks"  #: the machine runs, and nothing on it ever sends anything
#: Kind -> how EC2 words the end of the instance that has never booted.
_REASONS: Final = {
    "start falls back": (
        "Server.InsufficientInstanceCapacity",
        "There was insufficient capacity available to satisfy the launch request.",
    ),
    "boot hangs": (HARDWARE_FAILURE, "Internal error on launch"),
}
#: Asks for the fault that shall happen in the place of a boot; set while a call is served.
_asked: ContextVar[Callable[[], Strike | None]] = ContextVar("asked", default=lambda: None)


class FaultyHost:
    """An `instance_lifecycle.MachineHost` before the real one.

    Args:
        host: the real one.
        lifecycle: receives the instances that fall back.
    """

    def __init__(self, host: MachineHost, lifecycle: Lifecycle) -> None:
        self._host = host
        self._lifecycle = lifecycle
        self._lock = threading.Lock()
        self._falling: dict[str, threading.Timer] = {}
        self.reboot = host.reboot
        self.console = host.console

    @contextmanager
    def asking(self, ask: Callable[[], Strike | None]) -> Iterator[None]:
        """Ask before each boot that a call of this thread leads to."""
        token = _asked.set(ask)
        try:
            yield
        finally:
            _asked.reset(token)

    def boot(self, instance_id: str) -> None:
        """Boot the machine, unless a fault comes in between."""
        self._cancel(instance_id)
        strike = _asked.get()()
        if strike is None:
            self._host.boot(instance_id)
        else:
            timer = self._timer(instance_id, strike)
            timer.daemon = True
            with self._lock:
                self._falling[instance_id] = timer
            timer.start()

    def _timer(self, instance_id: str, strike: Strike) -> threading.Timer:
        if strike.kind == MUTE:
            return threading.Timer(strike.seconds, self._run_mute, (instance_id,))
        arguments = (instance_id, *_REASONS[strike.kind])
        return threading.Timer(strike.seconds, self._fall_back, arguments)

    def stop(self, instance_id: str, *, force: bool = False) -> None:
        """Shut the machine down."""
        self._cancel(instance_id)
        self._host.stop(instance_id, force=force)

    def terminate(self, instance_id: str) -> None:
        """Shut the machine down and throw its disk away."""
        self._cancel(instance_id)
        self._host.terminate(instance_id)

    def _cancel(self, instance_id: str) -> None:
        with self._lock:
            timer = self._falling.pop(instance_id, None)
        if timer is not None:
            timer.cancel()

    def _run_mute(self, instance_id: str) -> None:
        with self._lifecycle.lock:
            if self._is_due(instance_id):
                self._lifecycle.booted(instance_id)

    def _is_due(self, instance_id: str) -> bool:
        """Remove the instance's timer; return True if it is this thread's."""
        with self._lock:
            due = self._falling.pop(instance_id, None)
        return due is threading.current_thread()

    def _fall_back(self, instance_id: str, code: str, reason: str) -> None:
        # The lifecycle's lock first: each stop or start of the instance holds it.
        with self._lifecycle.lock:
            if self._is_due(instance_id):
                self._lifecycle.failed(instance_id, reason, code=code)
