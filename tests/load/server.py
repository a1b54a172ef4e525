"""A real gunicorn with our configuration, as a child process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from tests.harness.waiting import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.local_stack.memcached import Memcached

PATIENCE = DEADLINE


class Server:
    """A running gunicorn."""

    def __init__(
        self,
        log: Path,
        *,
        threads: int = 40,
        app: str = "tests.harness.web_http:application()",
        env: dict[str, str] | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        self._log = log
        self.memcached: Memcached | None = None  #: the one that it uses, if any
        command = [
            sys.executable, "-m", "gunicorn",
            "--config", str(files("web_tier.http_server") / "gunicorn_conf.py"),
            "--bind", "127.0.0.1:0", "--threads", str(threads), *options, app,
        ]  # fmt: skip
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stderr=output, env={**os.environ, **(env or {})}
            )

    @property
    def url(self) -> str:
        """Where it listens, once a worker is there to answer."""
        url = self.said(r"Listening at: (http://\S+)")
        self.said(r"(Booting worker)")
        return url

    @property
    def port(self) -> int:
        """The port of `url`."""
        return int(self.url.rpartition(":")[2])

    @property
    def worker(self) -> int:
        """The process that answers."""
        return int(self.said(r"Booting worker with pid: (\d+)"))

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text()

    def said(self, pattern: str) -> str:
        """The part of the log that matches, as soon as it does."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := re.search(pattern, self.log):
                return found[1]
            assert self.process.poll() is None, self.log
            time.sleep(0.02)
        raise AssertionError(self.log)

    def memory(self, which: str = "VmHWM") -> int:
        """Megabytes of memory of the worker: the most so far, or now (`VmRSS`)."""
        status = Path(f"/proc/{self.worker}/status").read_text()
        found = re.search(rf"{which}:\s*(\d+) kB", status)
        assert found is not None
        return int(found[1]) // 1024

    def seconds(self) -> float:
        """Processor time that the worker has used: what a busy machine does not change."""
        fields = Path(f"/proc/{self.worker}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def threads(self) -> int:
        """How many threads the worker has now."""
        return len(list(Path(f"/proc/{self.worker}/task").iterdir()))

    def stop(self) -> int:
        """End it; a killed master would leave its worker for a while."""
        self.process.terminate()
        return self.process.wait(PATIENCE)


@contextmanager
def serving(
    log: Path,
    *,
    threads: int = 40,
    app: str = "tests.harness.web_http:application()",
    env: dict[str, str] | None = None,
    options: tuple[str, ...] = (),
) -> Iterator[Server]:
    """A server for the length of a block."""
    server = Server(log, threads=threads, app=app, env=env, options=options)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
