"""An nginx in front of a server of ours, with TLS or without, as an operator's proxy is."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import requests
from urllib3 import disable_warnings
from urllib3.exceptions import InsecureRequestWarning

from gridwell.local_stack.memcached import free_port
from tests.harness.waiting import DEADLINE, await_true

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.load.server import Server

PATIENCE = DEADLINE


def _found(program: str) -> str:
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        words = f"{program} is not installed: apt-get install {program}"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    return found


def _answers(url: str, process: subprocess.Popen[bytes], folder: Path) -> bool:
    try:
        requests.get(url, timeout=PATIENCE, verify=False)  # noqa: S501 - its own certificate
    except requests.ConnectionError:
        assert process.poll() is None, (folder / "error").read_text()
        return False
    return True


@contextmanager
def tls_before(folder: Path, server: Server, name: str) -> Iterator[int]:
    """Run a proxy with a certificate of its own making, and give its port."""
    openssl = _found("openssl")
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", folder / "key.pem", "-out", folder / "cert.pem",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    disable_warnings(InsecureRequestWarning)
    with nginx_before(
        folder,
        server,
        scheme="https",
        options=f"""
                ssl_certificate {folder}/cert.pem;
                ssl_certificate_key {folder}/key.pem;
                proxy_set_header Host $http_host;
                proxy_set_header X-Forwarded-For $remote_addr;
                proxy_set_header X-Forwarded-Proto $scheme;""",
    ) as port:
        yield port


@contextmanager
def nginx_before(
    folder: Path, server: Server, *, scheme: str = "http", options: str = ""
) -> Iterator[int]:
    """Run an nginx that passes all on to a server, and give its port.

    Args:
        folder: of its files.
        server: ours.
        scheme: http, or https with a certificate among the options.
        options: lines of its `server` block; without any, only where to listen and whom to ask.
    """
    nginx, port = _found("nginx"), free_port()
    (folder / "nginx.conf").write_text(
        f"""daemon off;
        pid {folder}/nginx.pid;
        events {{}}
        http {{
            access_log off;
            client_body_temp_path {folder}/body;
            proxy_temp_path {folder}/proxy;
            fastcgi_temp_path {folder}/fastcgi;
            uwsgi_temp_path {folder}/uwsgi;
            scgi_temp_path {folder}/scgi;
            server {{
                listen 127.0.0.1:{port}{" ssl" if scheme == "https" else ""};{options}
                location / {{ proxy_pass {server.url}; }}
            }}
        }}"""
    )
    command = [nginx, "-p", str(folder), "-e", f"{folder}/error", "-c", f"{folder}/nginx.conf"]
    process = subprocess.Popen(command)
    try:
        url = f"{scheme}://127.0.0.1:{port}/healthz"
        await_true(lambda: _answers(url, process, folder))
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)
