"""Tries everything that a local stack listens on and keeps: run as another user of the machine.

    python3 stranger.py < targets.json

Standard library only, as another user may not read the environment that tests run in.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

SECONDS = 3.0


def main() -> None:
    """Read the targets, try them all, write what came back."""
    targets = json.load(sys.stdin)
    json.dump(
        {
            "user": os.getuid(),
            "tcp": [
                [port, name, _sent(socket.AF_INET, (host, port), request)]
                for host, port in targets["tcp"]
                for name, request in targets["requests"].items()
            ],
            "files": [
                [path, _sent(socket.AF_UNIX, path, "stats\r\n")] for path in targets["files"]
            ],
            "abstract": [
                [name, _sent(socket.AF_UNIX, f"\0{name}", "poweroff\n")]
                for name in targets["abstract"]
            ],
            "datagrams": [[name, _thrown(name)] for name in targets["datagrams"]],
            "readable": [path for path in targets["paths"] if _is_readable(path)],
            "environments": [
                pid for pid in targets["pids"] if _is_readable(f"/proc/{pid}/environ")
            ],
        },
        sys.stdout,
    )


def _sent(family: int, address: Any, request: str) -> str:
    """What comes back, or the error's name."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as link:
            link.settimeout(SECONDS)
            link.connect(address)
            link.sendall(request.encode())
            return link.recv(65536).decode(errors="replace")
    except OSError as error:
        return f"!{type(error).__name__}"


def _thrown(name: str) -> str:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.settimeout(SECONDS)
            link.sendto(b"STATUS=stranger\nSTOPPING=1\nWATCHDOG=trigger\n", f"\0{name}")
    except OSError as error:
        return f"!{type(error).__name__}"
    return ""


def _is_readable(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
