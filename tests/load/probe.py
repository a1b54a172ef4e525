"""Asks /healthz again and again, from a process of its own: a busy client would measure itself."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

EVERY_SECONDS = 0.02
PATIENCE_SECONDS = 10.0
QUESTION = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Report:
    """How the answers came: times in milliseconds, rising."""

    times: list[float]
    failures: int

    def percentile(self, share: float) -> float:
        """The time within which that share of the answers came."""
        return self.times[min(len(self.times) - 1, int(share * len(self.times)))]

    def __str__(self) -> str:
        return (
            f"/healthz p50 {self.percentile(0.5):.1f} ms, p99 {self.percentile(0.99):.1f} ms, "
            f"worst {self.times[-1]:.0f} ms of {len(self.times)}, {self.failures} failed"
        )


class Probe:
    """A running probe."""

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.load.probe", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it asks now

    def stop(self) -> Report:
        """End it, and hear how it went."""
        said, _ = self._process.communicate()
        return Report(**json.loads(said))


def ask(port: int) -> bool:
    """Whether /healthz answered."""
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as link:
            link.sendall(QUESTION)
            return link.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def main() -> None:
    """Ask until the standard input ends."""
    stopped = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        stopped.set()

    threading.Thread(target=listen, daemon=True).start()
    times, failures = [], 0
    sys.stdout.write("asking\n")
    sys.stdout.flush()
    while not stopped.is_set():
        started = time.perf_counter()
        failures += not ask(int(sys.argv[1]))
        times.append(1000 * (time.perf_counter() - started))
        stopped.wait(EVERY_SECONDS)
    json.dump({"times": sorted(times), "failures": failures}, sys.stdout)


if __name__ == "__main__":
    main()
