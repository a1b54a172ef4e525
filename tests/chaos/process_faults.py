"""The blows, by name; here are those at programs, in `troubles` those at what is around them."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

from tests.chaos import environment_faults
from tests.chaos.stack import SECONDS

if TYPE_CHECKING:
    from tests.chaos.plan import Strike
    from tests.chaos.targets import Arena, Blow

#: Programs to kill, with their weights.
PROGRAMS: Final = {
    "web tier": 2.0,
    "web worker": 1.0,  # the process below gunicorn's own
    "collector": 3.0,
    "autoscaler": 3.0,
    "worker": 4.0,
    "compute process": 2.0,
    "instance": 3.0,
    "memcached": 2.0,
}


def kill(program: str) -> Blow:
    """SIGKILL to one of a program's processes."""

    def blow(arena: Arena, strike: Strike) -> str | None:
        # Who stands still shall go on, or its freezing would prove nothing.
        found = [p for p in arena.stack.find(program) if p.pid not in arena.frozen]
        if not found:
            return None
        chosen = found[strike.pick(len(found))]
        return f"process {chosen.pid} killed" if chosen.signal(signal.SIGKILL) else None

    return blow


def second(program: str) -> Blow:
    """A second one of a program at work for a while, then killed."""

    def blow(arena: Arena, strike: Strike) -> str | None:
        if arena.stack.find(program):
            return None
        arena.stack.start_second(program)
        seconds = 1.5 + 6.0 * strike.chance

        def end() -> None:
            for process in arena.stack.find(program):
                process.signal(signal.SIGKILL)
                arena.timeline.note(f"{program}: process {process.pid} killed")
            arena.stack.end_second(program)

        arena.later(seconds, end)
        return f"at work for {seconds:.1f} s, then killed"

    return blow


def freeze(program: str, seconds: float) -> Blow:
    """SIGSTOP, and SIGCONT after a while."""

    def blow(arena: Arena, strike: Strike) -> str | None:
        found = [p for p in arena.stack.find(program) if p.pid not in arena.frozen]
        if not found:
            return None
        chosen = found[strike.pick(len(found))]
        if not chosen.signal(signal.SIGSTOP):
            return None
        arena.frozen.add(chosen.pid)
        arena.region_still |= program == "region"

        def thaw() -> None:
            arena.frozen.discard(chosen.pid)
            there = chosen.signal(signal.SIGCONT)
            arena.region_still &= program != "region"
            arena.timeline.note(
                f"{program} frozen: process {chosen.pid} {'goes on' if there else 'has gone'}"
            )

        arena.later(seconds, thaw)
        return f"process {chosen.pid} stands still for {seconds:g} s"

    return blow


def blows(*, lease: float, away: float) -> dict[str, Blow]:
    """All kinds of blows by name, but for the failpoints.

    Args:
        lease: seconds of the queues' visibility timeout: a worker stands still for longer.
        away: seconds for which the region is away.
    """
    found = {f"{program} killed": kill(program) for program in PROGRAMS}
    found |= {f"{program} comes and is killed": second(program) for program in SECONDS}
    found |= {
        "worker frozen": freeze("worker", lease + 3.0),
        "autoscaler frozen": freeze("autoscaler", 5.0),
        "collector frozen": freeze("collector", lease + 3.0),
        "cache flushed": environment_faults.flush_cache,
        "cache frozen": freeze("memcached", 3.0),
        "cache tiny": environment_faults.shrink_cache,
        "no requests": environment_faults.ask_nothing(20.0),
        # A stopped instance is given up a minute after its start at the earliest.
        "no requests for long": environment_faults.ask_nothing(75.0),
        "instance terminated": environment_faults.terminate,
        "region frozen": freeze("region", away),
        "region away": environment_faults.send_away(away),
        "disk full": environment_faults.fill_disk,
    }
    for name in ("chunks", "results"):
        queue = f"gridwell-{name}"
        found[f"{name} emptied"] = environment_faults.empty_queue(queue)
        found[f"{name} doubled"] = environment_faults.double_queue(queue)
    return found
