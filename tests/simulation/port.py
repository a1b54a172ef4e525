"""Any port, seen from one process, with the seed's faults at each of its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gridwell.domain.errors import ServiceBusy
from tests.simulation.kernel import Died

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.kernel import Process

_WATCHDOG_SECONDS: Final = 120.0  #: systemd's, for a worker whose loop does not go round


class Port:
    """A port that fails now and then.

    Args:
        inner: what keeps the port's promises.
        name: for the trace.
        process: who calls.
        raises: whether the port may say that its service is busy (a cache never does).
    """

    def __init__(self, inner: object, name: str, process: Process, *, raises: bool = True) -> None:
        self._inner = inner
        self._name = name
        self._process = process
        self._raises = raises

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A method that calls the inner one, or fails instead, or afterwards."""
        method = getattr(self._inner, name)

        def call(*args: Any, **options: Any) -> Any:
            self._before(name)
            answer = method(*args, **options)
            self._after(name)
            return answer

        setattr(self, name, call)
        return call

    def _before(self, name: str) -> None:
        sim, faults = self._process.sim, self._process.sim.faults
        if faults.strike("stall"):
            longest = sim.rng.choice((0.1, 2.0, 20.0, 200.0))
            seconds = sim.rng.uniform(0.0, longest)
            sim.note(f"{self._process.name} stalls for {seconds:.1f} s before {self._name}.{name}")
            sim.stall(min(seconds, _WATCHDOG_SECONDS))
            if not self._process.alive or seconds > _WATCHDOG_SECONDS:
                raise Died
        if faults.strike("crash before"):
            raise Died
        if self._raises and faults.strike("busy before"):
            sim.note(f"{self._process.name}: {self._name}.{name} is busy")
            raise ServiceBusy(f"{name} was throttled")

    def _after(self, name: str) -> None:
        sim, faults = self._process.sim, self._process.sim.faults
        if faults.strike("crash after"):
            raise Died
        if self._raises and faults.strike("reply lost"):
            sim.note(f"{self._process.name}: the reply of {self._name}.{name} is lost")
            raise ServiceBusy(f"{name} did not answer")
