"""Load and abuse one web process, and say what it did: `make abuse`."""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import itertools
import os
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gridwell.local_stack.memcached import start_memcached
from tests.load import app, greedy, probe
from tests.load.clients import ask, request, submission, trickle
from tests.load.probe import Probe
from tests.load.server import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from tests.load.server import Server

KNEE = (1, 4, 16, 64, 256, 1024, 2048)
KNEE_SECONDS = 5
OK = 200
ACCEPTED = 202
SEEDS = itertools.count(1)


def a_job(grid_size: int = 8, atoms: int = 20) -> dict[str, object]:
    """A job that nobody asked for before."""
    return {"grid_size": grid_size, "atom_count": atoms, "seed": next(SEEDS)}


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextlib.asynccontextmanager
async def health(server: Server, label: str) -> AsyncIterator[None]:
    """Ask /healthz all the while, and say how that went."""
    asked = await asyncio.to_thread(Probe, server.port)
    try:
        yield
    finally:
        report = await asyncio.to_thread(asked.stop)
        now, most = server.memory("VmRSS"), server.memory()
        say(f"  {label}: {report}; memory {now} MB (most {most}), threads {server.threads()}")


def counted(statuses: list[int]) -> str:
    return ", ".join(
        f"{n} x {s or 'closed'}" for s, n in sorted(collections.Counter(statuses).items())
    )


async def waiting(server: Server, count: int) -> None:
    """Clients that wait, each for a job of its own."""
    prefer = {"Prefer": "wait=30", "Connection": "close"}
    started = time.monotonic()
    async with health(server, "while they come"):
        tasks = [
            asyncio.create_task(ask(server.port, submission(a_job(4, 5), **prefer)))
            for _ in range(count)
        ]
        await asyncio.sleep(4)
    async with health(server, "while they wait"):
        await asyncio.sleep(5)
    async with health(server, "while they are answered"):
        answers = await asyncio.gather(*tasks)
    done = sum(b'"state":"done"' in body for _, body in answers)
    seconds = time.monotonic() - started
    say(f"  {counted([status for status, _ in answers])}; {done} done, in {seconds:.1f} s")


async def slow(server: Server, count: int) -> None:
    """Clients that send a byte a second: half of them their head, half their body."""
    data = submission(a_job())
    head = data.index(b"\r\n\r\n") + 4
    async with health(server, "while they trickle"):
        task = asyncio.gather(
            *(trickle(server.port, data, head * (number % 2)) for number in range(count))
        )
        await asyncio.sleep(2)
        good = [await ask(server.port, submission(a_job(), Connection="close")) for _ in range(20)]
        say(f"  meanwhile 20 good clients got {counted([status for status, _ in good])}")
        ended = await task
    last = max(seconds for _, seconds in ended)
    say(f"  slow ones: {counted([status for status, _ in ended])}; the last after {last:.1f} s")


async def rude(server: Server, count: int) -> None:
    """Clients that take an answer, ask to close, and never close their end."""
    data = request("GET", "/healthz", Connection="close")
    async with health(server, "while they stay"):
        links = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(count)]
        for _, writer in links:
            writer.write(data)
        await asyncio.sleep(5)
        for _, writer in links:
            writer.close()


async def deaf(server: Server, count: int) -> None:
    """Clients that ask for eight megabytes of atoms each and never read."""
    job = a_job(4, 100_000)
    _, body = await ask(server.port, submission(job, Connection="close"))
    path = f"/v1/jobs/{body[7:39].decode()}/atoms"
    async with health(server, "while they do not read"):
        links = []
        for _ in range(count):
            link = socket.create_connection(("127.0.0.1", server.port))
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.sendall(request("GET", path))
            links.append(link)
        await asyncio.sleep(10)
        refused = sum(link.recv(12, socket.MSG_DONTWAIT).endswith(b"503") for link in links)
        say(f"  {refused} were sent away at once")
        await asyncio.sleep(25)
        status, _ = await ask(server.port, request("GET", path, Connection="close"))
        say(f"  35 s later a good client gets {status}")
        for link in links:
            link.close()


async def large(server: Server, count: int) -> None:
    """Bodies of 64 MiB, all at once."""
    row = b"[0.123456789012345,1.234567890123456,2.345678901234567,0.5]"
    rows = (60 << 20) // (len(row) + 1)
    many = b'{"grid_size":8,"atoms":[' + b",".join([row] * min(rows, 999_999)) + b"]}"
    many += b" " * ((64 << 20) - len(many))
    async with health(server, "while they come"):
        started = time.monotonic()
        answers = await asyncio.gather(
            *(
                ask(server.port, request("POST", "/v1/jobs", many, Connection="close"))
                for _ in range(count)
            )
        )
        say(f"  {counted([s for s, _ in answers])} in {time.monotonic() - started:.1f} s")


async def endless(server: Server, count: int) -> None:
    """Bodies in pieces that never end, as fast as they can."""
    head = request("POST", "/v1/jobs", Transfer_Encoding="chunked", Content_Type="application/json")
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

    async def send() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        sent = 0
        with contextlib.suppress(ConnectionError):
            writer.write(head)
            while not reader._buffer and sent < (1 << 30):  # type: ignore[attr-defined]
                writer.write(piece)
                sent += len(piece)
                await writer.drain()
        status = int((await reader.read(64) or b"x 0").split()[1])
        writer.close()
        return status

    async with health(server, "while they come"):
        say(f"  {counted(await asyncio.gather(*(send() for _ in range(count))))}")


async def reading(port: int, job: str, seconds: float) -> list[float]:
    """The times, in milliseconds and rising, in which 16 clients read a job again and again."""
    times: list[float] = []
    data = request("GET", f"/v1/jobs/{job}", Connection="close")
    ends = time.monotonic() + seconds

    async def client() -> None:
        while (started := time.monotonic()) < ends:
            status, _ = await ask(port, data)
            times.append(1000 * (time.monotonic() - started))
            assert status == OK
            await asyncio.sleep(0.02)

    await asyncio.gather(*(client() for _ in range(16)))
    return sorted(times)


async def hung(server: Server, count: int) -> None:
    """Clients that read and clients that wait, while memcached stands still."""
    _, body = await ask(server.port, submission(a_job(4, 5), Connection="close"))
    job = body[7:39].decode()
    await asyncio.sleep(1)
    memcached = server.memcached
    assert memcached is not None
    prefer = {"Prefer": "wait=10", "Connection": "close"}
    for label in ("while memcached answers", "while it stands still", "after it went on"):
        if label == "while it stands still":
            os.kill(memcached.child.process.pid, signal.SIGSTOP)
        tasks = [
            asyncio.create_task(ask(server.port, submission(a_job(4, 5), **prefer)))
            for _ in range(count)
        ]
        times = await reading(server.port, job, 5)
        late = times[int(0.99 * len(times))]
        done = sum(b'"state":"done"' in body for _, body in await asyncio.gather(*tasks))
        say(
            f"  {label}: {len(times)} reads, p50 {times[len(times) // 2]:.1f} ms, "
            f"p99 {late:.1f} ms, worst {times[-1]:.0f} ms; "
            f"{done} of {count} waiting clients got their answer"
        )
        if label == "while it stands still":
            os.kill(memcached.child.process.pid, signal.SIGCONT)


def summed(status: int, seconds: list[float]) -> str:
    """How often a status was answered, and how fast."""
    ordered = sorted(seconds)
    middle, late = (1000 * ordered[int(share * len(ordered))] for share in (0.5, 0.99))
    return f"{len(ordered) / KNEE_SECONDS:.0f} x {status}/s, p50 {middle:.0f} ms, p99 {late:.0f} ms"


async def knee(server: Server, _: int) -> None:
    """More and more clients that submit new jobs as fast as they are answered."""
    for clients in KNEE:
        times: dict[int, list[float]] = collections.defaultdict(list)
        late: collections.Counter[int] = collections.Counter()
        ends = time.monotonic() + KNEE_SECONDS

        async def client(
            times: dict[int, list[float]] = times,
            late: collections.Counter[int] = late,
            ends: float = ends,
        ) -> None:
            while (started := time.monotonic()) < ends:
                status, _ = await ask(server.port, submission(a_job(16, 500), Connection="close"))
                if (now := time.monotonic()) < ends:
                    times[status].append(now - started)
                else:
                    late[status] += 1
                if status != ACCEPTED:
                    await asyncio.sleep(2)  # at least what Retry-After says

        asked = await asyncio.to_thread(Probe, server.port)
        used = server.seconds()
        await asyncio.gather(*(client() for _ in range(clients)))
        used = server.seconds() - used
        report = await asyncio.to_thread(asked.stop)
        said = "; ".join(summed(status, seconds) for status, seconds in sorted(times.items()))
        each = 1000 * used / max(1, len(times[ACCEPTED]) + late[ACCEPTED])
        say(
            f"  {clients:4} clients: {said}; {each:.2f} ms of processor each accepted; "
            f"/healthz p99 {report.percentile(0.99):.0f} ms"
        )


def fares(
    scene: Callable[[Server, int], Coroutine[Any, Any, str]],
) -> Callable[[Server, int], Coroutine[Any, Any, None]]:
    """A scene of a greedy and a modest client, and how the modest one fares."""

    async def run(server: Server, count: int) -> None:
        async with health(server, "meanwhile"):
            say(f"  the modest client got {await scene(server, count)}")

    run.__doc__ = scene.__doc__
    return run


SCENES: dict[str, tuple[Callable[[Server, int], Coroutine[Any, Any, None]], int, str]] = {
    "waiting": (waiting, 500, "10"),
    "slow": (slow, 600, "0.2"),
    "rude": (rude, 200, "0.2"),
    "deaf": (deaf, 100, "0.2"),
    "large": (large, 16, "1e9"),
    "endless": (endless, 8, "0.2"),
    "hung": (hung, 50, "1"),
    "knee": (knee, 0, "1e9"),
    "greedy_downloads": (fares(greedy.greedy_downloads), 20, "1e9"),
    "greedy_streams": (fares(greedy.greedy_streams), 520, "1e9"),
    "greedy_estimates": (fares(greedy.greedy_estimates), 24, "1e9"),
    "greedy_uploads": (fares(greedy.greedy_uploads), 10, "1e9"),
    "anonymous_uploads": (fares(greedy.anonymous_uploads), 8, "1e9"),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument(
        "scenes", nargs="*", default=list(SCENES), metavar="scene", help=", ".join(SCENES)
    )
    parser.add_argument("--threads", type=int, default=640)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        memcached = start_memcached(log=Path(folder) / "memcached")
        for name in chosen.scenes:
            run, count, delay = SCENES[name]
            say(f"{name}: {run.__doc__} ({count} clients)")
            env = {
                app.DELAY: delay,
                app.CAPACITY: str(chosen.threads - 128),
                app.MEMCACHED: memcached.address,
            }
            log = Path(folder) / name
            with serving(
                log, threads=chosen.threads, app="tests.load.app:application()", env=env
            ) as server:
                server.memcached = memcached
                # It listens before it has loaded the application: that is not to be measured.
                assert probe.ask(server.port), server.log
                say(f"  memory at rest {server.memory()} MB")
                asyncio.run(run(server, count))
                errors = server.log.count("Traceback")
                say(f"  log: {len(server.log.splitlines())} lines, {errors} tracebacks")
        memcached.stop()


if __name__ == "__main__":
    main()
