"""How gunicorn serves the web tier: `python -m web_tier serve` adds address and threads.

One process with threads: waiting requests cost a thread's stack each, and every process would
have a watcher and a limit of its own.  More capacity is more hosts.
"""

from __future__ import annotations

import signal
import socket
import struct
from typing import Any

from web_tier.parts import parts_of

wsgi_app = "web_tier.cli:application()"
proc_name = "gridwell-web"
workers = 1
worker_class = "gthread"
timeout = 0  # a thread that waits for a job is not hung
graceful_timeout = 10
keepalive = 75
accesslog = None
errorlog = "-"
loglevel = "info"
control_socket_disable = True

_SEND_SECONDS = 30


def when_ready(server: Any) -> None:
    """Give up on clients that never read: they would hold a thread for ever.

    Sockets inherit the limit from the listener that accepted them.
    """
    limit = struct.pack("ll", _SEND_SECONDS, 0)
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def post_worker_init(worker: Any) -> None:
    """Let SIGTERM end all waiting at once, before the worker waits for its requests to end."""
    watcher = parts_of(worker.wsgi).watcher
    leave: Any = signal.getsignal(signal.SIGTERM)

    def stop_waiting(number: int, frame: Any) -> None:
        watcher.close()
        leave(number, frame)

    signal.signal(signal.SIGTERM, stop_waiting)
    signal.siginterrupt(signal.SIGTERM, False)  # noqa: FBT003 - takes it by position only


def worker_exit(_server: Any, worker: Any) -> None:
    """End the watcher with its worker, however that ended."""
    application = getattr(worker, "wsgi", None)
    if application is not None:
        parts_of(application).watcher.close()
