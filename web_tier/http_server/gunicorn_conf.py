"""Configuration of gunicorn; `python -m web_tier serve` adds the address and the threads.

There is one process with threads.  A waiting request costs one thread's stack, and each further
process would have a watcher and limits of its own.  For more capacity, add hosts.
"""

from __future__ import annotations

import resource
import signal
import sys
from typing import Any

from gunicorn.glogging import Logger

from gridwell.program.logs import formatter
from web_tier.dependencies import dependencies_of
from web_tier.http_server.request_framing import LINE_BYTES

_SWITCH_SECONDS = 0.001
_CONNECTIONS = 4096
_OTHER_FILES = 256  #: sockets to memcached and AWS above all


def _connections() -> int:
    """Return the most connections; each may need a file of its own for a large body.

    A worker that cannot open a further file could not accept connections.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * _CONNECTIONS + _OTHER_FILES
    given = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (given, hard))
    return max(64, min(_CONNECTIONS, (given - _OTHER_FILES) // 2))


class _Log(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's own lines, in the form of ours."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter(sys.stderr))


logger_class = _Log
wsgi_app = "web_tier.composition:application()"
proc_name = "gridwell-web"
workers = 1
worker_class = "web_tier.http_server.buffering_worker.BufferingWorker"
timeout = 0  # a thread that waits for a job is not hung
limit_request_line = LINE_BYTES
graceful_timeout = 10
keepalive = 75
worker_connections = _connections()
accesslog = None
errorlog = "-"
loglevel = "info"
control_socket_disable = True
# Forwarded headers are read in one place, `web_tier.auth.proxies`.  gunicorn's own trust would
# take SCRIPT_NAME, PATH_INFO and the scheme from whoever connects over loopback.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
proxy_allow_ips = ""


def post_worker_init(worker: Any) -> None:
    """Let SIGTERM end all waiting at once, before the worker waits for its requests to end."""
    # Threads that compute hand over to those that only answer sooner than Python's 5 ms.
    sys.setswitchinterval(_SWITCH_SECONDS)
    watcher = dependencies_of(worker.wsgi).watcher
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
        parts = dependencies_of(application)
        parts.watcher.close()
        parts.close()
