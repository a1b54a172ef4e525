"""Blows at what is around the programs: cache, region, queues, clients, disk."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from gridwell.engine.errors import ServiceError
from gridwell.local_stack.memcached import connect, start_memcached

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.local_stack.faults.client import RemoteFaults
    from tests.chaos.plan import Strike
    from tests.chaos.targets import Arena, Blow

_TINY_SECONDS: Final = 15.0
_JUNK_BYTES: Final = 2 << 20  #: of each size
_JUNK_SIZES: Final = (100, 250, 500, 1000, 4000)
_FULL_SECONDS: Final = 15.0
_FILL_PIECE: Final = 1 << 20


def flush_cache(arena: Arena, _: Strike) -> str | None:
    """Let memcached forget everything."""
    try:
        with connect(arena.stack.running.memcached, 2.0) as link:
            link.sendall(b"flush_all\r\n")
            return "all forgotten" if link.recv(64) == b"OK\r\n" else None
    except OSError:
        return None


def shrink_cache(arena: Arena, _: Strike) -> str | None:
    """One of 2 MB in the other's place, full of junk: what is kept is soon gone.

    Two, as memcached refuses to have less than two of its largest items.
    """
    tiny = start_memcached(
        log=arena.stack.state.logs / "tiny-memcached.log",
        megabytes=2,
        socket_file=arena.stack.state.path / "tiny-memcached.sock",
    )
    with connect(tiny.address, 2.0) as link:
        for size in _JUNK_SIZES:
            for number in range(_JUNK_BYTES // size):
                link.sendall(b"set junk-%d-%d 0 0 %d noreply\r\n" % (size, number, size))
                link.sendall(b"x" * size + b"\r\n")
        link.sendall(b"version\r\n")
        link.recv(64)  # now all before it is done
    arena.relay.lead(tiny.address)

    def end() -> None:
        arena.relay.lead(arena.stack.running.memcached)
        tiny.stop()

    arena.later(_TINY_SECONDS, end)
    return f"2 MB and full of junk for {_TINY_SECONDS:g} s"


def send_away(seconds: float) -> Blow:
    """Let the region serve no call for a while."""

    def blow(arena: Arena, _: Strike) -> str | None:
        if arena.region_still:
            return None
        try:
            arena.faults.away(seconds)
        except ServiceError:
            return None  # it is slow
        arena.region_still = True

        def end() -> None:
            arena.region_still = False

        arena.later(seconds, end)
        return f"for {seconds:g} s"

    return blow


def empty_queue(queue: str) -> Blow:
    """Lose every message of a queue."""
    return _at_queue(lambda faults: faults.empty(queue), "messages are lost")


def double_queue(queue: str) -> Blow:
    """Let every message of a queue be there twice."""
    return _at_queue(lambda faults: faults.duplicate(queue), "messages are there twice")


def _at_queue(act: Callable[[RemoteFaults], int], words: str) -> Blow:
    def blow(arena: Arena, _: Strike) -> str | None:
        if arena.region_still:
            return None
        try:
            count = act(arena.faults)
        except ServiceError:
            return None  # it is slow
        # To an empty queue nothing has happened.
        return f"{count} {words}" if count else None

    return blow


def ask_nothing(seconds: float) -> Blow:
    """No new requests for a while: the fleet goes home, and is woken up again."""

    def blow(arena: Arena, _: Strike) -> str | None:
        if arena.load.is_quiet:
            return None
        arena.load.be_quiet()
        arena.later(seconds, arena.load.go_on)
        return f"for {seconds:g} s"

    return blow


def terminate(arena: Arena, strike: Strike) -> str | None:
    """Terminate an instance at work, as whoever pays for it may do."""
    if arena.region_still:
        return None
    try:
        running = [name for name, state in arena.stack.fleet().items() if state == "running"]
        if not running:
            return None
        chosen = running[strike.pick(len(running))]
        arena.stack.client("ec2").terminate_instances(InstanceIds=[chosen])
    except (BotoCoreError, ClientError):
        return None
    return chosen


def fill_disk(arena: Arena, _: Strike) -> str | None:
    """Not a byte free in the stack's folder for a while: logs, instances, consoles."""
    filler = arena.stack.state.path / "filler"
    written = 0
    with filler.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):  # no space left, which is what we came for
            while True:
                written += file.write(bytes(_FILL_PIECE))
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    written += file.write(bytes(size))
    arena.later(_FULL_SECONDS, filler.unlink)
    return f"{written >> 20} MiB written, nothing free for {_FULL_SECONDS:g} s"
