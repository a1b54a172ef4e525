"""Scenes of one greedy client, from 127.0.0.1, and a modest one, from 127.0.0.2."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import time
from typing import TYPE_CHECKING

from tests.load.clients import answer, request, submission

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from tests.load.server import Server

GREEDY, MODEST = "127.0.0.1", "127.0.0.2"
SECONDS = 8
LARGE = 64 << 20
FORM_TYPE = "multipart/form-data; boundary=B"
FORM = (
    b'--B\r\nContent-Disposition: form-data; name="source"\r\n\r\nfile\r\n--B\r\n'
    b'Content-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    + b"1,2,3,4\n" * 60_000
    + b"\r\n--B--\r\n"
)


@contextlib.asynccontextmanager
async def linked(
    server: Server, address: str
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection from an address."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", server.port, local_addr=(address, 0), limit=4096
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def asked(server: Server, address: str, data: bytes) -> tuple[int, bytes]:
    """The status and the body of an answer, whatever their form."""
    async with linked(server, address) as (reader, writer):
        with contextlib.suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
        return await answer(reader)


async def a_job(server: Server, address: str, **fields: object) -> str:
    """The id of a new job."""
    job = {"grid_size": 4, "atom_count": 5, **fields}
    _, body = await asked(server, address, submission(job, Connection="close"))
    return str(json.loads(body)["id"])


async def modest(what: Callable[[], Coroutine[object, object, int]]) -> str:
    """How the modest client fares in the meantime, one request after the other."""
    statuses: collections.Counter[int] = collections.Counter()
    times: list[float] = []
    ends = time.monotonic() + SECONDS
    while (started := time.monotonic()) < ends:
        statuses[await what()] += 1
        times.append(1000 * (time.monotonic() - started))
        await asyncio.sleep(0.1)
    times.sort()
    told = ", ".join(
        f"{count} x {status or 'closed'}" for status, count in sorted(statuses.items())
    )
    return f"{told}; p50 {times[len(times) // 2]:.0f} ms, worst {times[-1]:.0f} ms"


async def held(
    server: Server, data: bytes, count: int, what: Callable[[], Coroutine[object, object, int]]
) -> str:
    """How the modest client fares while the greedy one holds connections that it does not read."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(count):
            reader, writer = await stack.enter_async_context(linked(server, GREEDY))
            writer.write(data)
            reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(1)
        return await modest(what)


async def greedy_downloads(server: Server, count: int) -> str:
    """Downloads of eight megabytes that one client never reads."""
    job, other = [await a_job(server, one, atom_count=100_000) for one in (GREEDY, MODEST)]
    path = f"/v1/jobs/{other}/atoms"

    async def download() -> int:
        async with linked(server, MODEST) as (reader, writer):
            writer.write(request("GET", path, Connection="close"))
            head = await reader.readline()
            size = 0
            while piece := await reader.read(1 << 20):
                size += len(piece)
            status = int(head.split()[1])
            assert status != 200 or size > 1_000_000
            return status

    return await held(server, request("GET", f"/v1/jobs/{job}/atoms"), count, download)


async def greedy_streams(server: Server, count: int) -> str:
    """Streams of events of one client's job."""
    job, other = [await a_job(server, one, seed=7) for one in (GREEDY, MODEST)]

    async def stream() -> int:
        async with linked(server, MODEST) as (reader, writer):
            writer.write(request("GET", f"/v1/jobs/{other}/events"))
            return int((await reader.readline()).split()[1])

    return await held(server, request("GET", f"/v1/jobs/{job}/events"), count, stream)


async def greedy_estimates(server: Server, count: int) -> str:
    """Estimates of files of half a megabyte, as fast as they are answered."""
    head = request("POST", "/estimate", Content_Type=FORM_TYPE, Content_Length=str(len(FORM)))
    ends = time.monotonic() + SECONDS + 1
    statuses: collections.Counter[int] = collections.Counter()

    async def estimate() -> None:
        while time.monotonic() < ends:
            status, _ = await asked(server, GREEDY, head + FORM)
            statuses[status] += 1

    tasks = [asyncio.create_task(estimate()) for _ in range(count)]
    await asyncio.sleep(1)
    said = await modest(lambda: submitted(server, 100))
    await asyncio.gather(*tasks)
    told = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    return f"{said}; the greedy one got {told}"


async def greedy_uploads(server: Server, count: int) -> str:
    """Uploads of 64 MiB less a kilobyte that stand still, from one address."""
    head = request("POST", "/v1/jobs", Content_Type="application/json", Content_Length=str(LARGE))
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(count):
            _, writer = await stack.enter_async_context(linked(server, GREEDY))
            writer.write(head)
            with contextlib.suppress(ConnectionError):
                for _ in range(63):
                    writer.write(b" " * (1 << 20))
                    await writer.drain()
        return await modest(lambda: submitted(server, 2 << 20))


async def anonymous_uploads(server: Server, count: int) -> str:
    """Bodies of 64 MiB for routes that take none, or a key only."""
    statuses: collections.Counter[int] = collections.Counter()
    for path in ("/login", "/logout", "/docs", "/healthz", "/openapi.json"):
        for _ in range(count):
            status, _ = await asked(
                server, GREEDY, request("POST", path, Content_Length=str(LARGE))
            )
            statuses[status] += 1
    told = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    said = await modest(lambda: submitted(server, 2 << 20))
    return f"{said}; the greedy one got {told}"


async def submitted(server: Server, size: int) -> int:
    """The status of a job of some bytes."""
    job = {"grid_size": 4, "atom_count": 5, "seed": time.monotonic_ns() % (1 << 31)}
    body = json.dumps(job).encode().ljust(size)
    status, _ = await asked(server, MODEST, request("POST", "/v1/jobs", body, Connection="close"))
    return status
