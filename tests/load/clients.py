"""Clients of one web process, good and bad, in one asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

HEAD = "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"


def request(method: str, path: str, body: bytes = b"", **fields: str) -> bytes:
    """The bytes of a request."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    if body:
        named |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return HEAD.format(method=method, path=path, fields=lines).encode() + body


def submission(job: dict[str, object], **fields: str) -> bytes:
    """The bytes of a request that submits a job."""
    return request("POST", "/v1/jobs", json.dumps(job).encode(), **fields)


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The status and the body of the next response with a Content-Length; 0 if there is none."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        while head.startswith(b"HTTP/1.1 100"):
            head = await reader.readuntil(b"\r\n\r\n")
        fields = head.decode("latin-1").lower().split("\r\n")
        length = next((int(f[15:]) for f in fields if f.startswith("content-length:")), 0)
        return int(head.split()[1]), await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return 0, b""


async def ask(port: int, data: bytes) -> tuple[int, bytes]:
    """The answer to a request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
        return await answer(reader)
    finally:
        writer.close()


async def trickle(port: int, data: bytes, at_once: int = 0) -> tuple[int, float]:
    """Send a byte a second after the first `at_once`; the answer's status, and when it came."""
    started = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data[:at_once])

    async def send() -> None:
        with contextlib.suppress(ConnectionError):
            for byte in data[at_once:]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)

    sending = asyncio.create_task(send())
    try:
        status, _ = await answer(reader)
        return status, time.monotonic() - started
    finally:
        sending.cancel()
        writer.close()
