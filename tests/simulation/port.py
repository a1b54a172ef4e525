"""Any port, seen from one process, with the seed's faults at each of its calls."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from gridwell.engine.errors import ServiceBusy
from tests.simulation.kernel import Died

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.kernel import Process

WATCHDOG_SECONDS: Final = 120.0  #: systemd's, for a program whose loop does not go round
_LONGEST_PAUSE: Final = 900.0
_KEYLESS: Final = {"metadata throttled", "metadata hangs"}
_LOOKS: Final = ("instances", "release")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a port, about to be made."""

    process: Process
    port: str
    method: str
    make: Callable[[], Any]
    target: object = None  #: of a call of EC2: its first argument

    @property
    def name(self) -> str:
        """For the trace."""
        return f"{self.port}.{self.method}"


def _unanswered(call: Call) -> None:
    if call.port == "ec2":
        call.process.sim.unanswered[call.name, call.target] += 1


def _busy(call: Call) -> Any:
    _unanswered(call)
    call.process.sim.note(f"{call.process.name}: {call.name} is busy")
    raise ServiceBusy(f"{call.method} was throttled")


def _reply_lost(call: Call) -> Any:
    _unanswered(call)
    call.make()
    call.process.sim.note(f"{call.process.name}: the reply of {call.name} is lost")
    raise ServiceBusy(f"{call.method} did not answer")


def _twice(call: Call) -> Any:
    call.make()
    return call.make()


def _crash_before(_call: Call) -> Any:
    raise Died


def _crash_after(call: Call) -> Any:
    call.make()
    raise Died


def _stall(call: Call) -> Any:
    rng, began = call.process.sim.rng, call.process.sim.now
    seconds = rng.uniform(0.0, rng.choice((0.1, 2.0, 20.0, 200.0)))
    call.process.stall(min(seconds, WATCHDOG_SECONDS), call.name)
    # By what has passed: a stall within this one may have made it longer than it was drawn.
    if seconds > WATCHDOG_SECONDS or call.process.sim.now - began > WATCHDOG_SECONDS:
        raise Died
    return call.make()


def _machine_pauses(call: Call) -> Any:
    call.process.stall(call.process.sim.rng.uniform(60.0, _LONGEST_PAUSE), call.name)
    return call.make()


def _nothing(_call: Call) -> Any:
    return None


#: What each kind does to a call, and of which calls: (port, method), empty for any.
#: A cache never says that it is busy; a long poll is not made twice, as it would block.
AT_CALLS: Final[dict[str, tuple[Callable[[Call], Any], Callable[[str, str], bool]]]] = {
    "busy before": (_busy, lambda port, _method: port != "cache"),
    "reply lost": (_reply_lost, lambda port, _method: port != "cache"),
    "made twice": (_twice, lambda _port, method: method != "receive"),
    "crash before": (_crash_before, lambda _port, _method: True),
    "crash after": (_crash_after, lambda _port, _method: True),
    "stall": (_stall, lambda _port, _method: True),
    # Not between the last look at the clock and an action: AWS refuses what was signed long ago.
    "machine pauses": (_machine_pauses, lambda port, method: port != "ec2" or method in _LOOKS),
    "heartbeat lost": (_nothing, lambda _port, method: method == "beat"),
    "object not seen": (_nothing, lambda port, method: (port, method) == ("problems", "get")),
}


class Port:
    """A port that fails now and then.

    Args:
        inner: what keeps the port's promises.
        name: for the trace, and for which kinds strike here.
        process: who calls.
    """

    def __init__(self, inner: object, name: str, process: Process) -> None:
        self._inner = inner
        self._name = name
        self._process = process

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A method that calls the inner one, with the faults of this seed."""
        method = getattr(self._inner, name)
        process, faults = self._process, self._process.sim.faults
        rng = process.sim.rng
        # One number decides for all kinds: they exclude each other, and calls are many.
        limits, acts = [0.0], []
        for kind, (act, concerns) in AT_CALLS.items():
            if kind in faults.rates and concerns(self._name, name):
                limits.append(limits[-1] + faults.rates[kind])
                acts.append((kind, act))
        likely = limits.pop()
        keyless = self._name != "cache" and faults.rates.keys() & _KEYLESS
        if not likely and not keyless:
            setattr(self, name, method)
            return cast("Callable[..., Any]", method)

        def call(*args: Any, **options: Any) -> Any:
            if keyless and process.sim.now < process.keyless_until:
                if process.keyless_seconds:
                    process.stall(process.keyless_seconds, f"{self._name}.{name}")
                _unanswered(Call(process, self._name, name, method, args[0] if args else None))
                raise ServiceBusy("the metadata service gives no credentials")
            drawn = rng.random()
            if drawn >= likely or not faults.on:
                return method(*args, **options)
            kind, act = acts[bisect.bisect_right(limits, drawn) - 1]
            faults.injected[kind] += 1
            target = args[0] if args else None
            return act(Call(process, self._name, name, lambda: method(*args, **options), target))

        setattr(self, name, call)
        return call
