"""The programs of a local region: how each is called, and what it may know."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where the packages lie: a program that we start finds them, wherever it is started.
ROOT = Path(__file__).resolve().parents[2]

NO_KEY = "local"  #: an access key id that no region takes
#: Of our own environment, what a program needs to run at all.
_KEPT = ("HOME", "LANG", "PATH", "TMPDIR", "TERM", "NO_COLOR")


#: How this machine reaches its package index: the instances' network, so to speak.
_NETWORK = (
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)
_NETWORK_PREFIX = "PIP_"


def network() -> dict[str, str]:
    """Return the variables of our environment that say how packages are reached.

    A proxy for the outside world must not be asked for what listens on this machine.
    """
    ours = {
        name: value
        for name, value in os.environ.items()
        if name in _NETWORK or name.startswith(_NETWORK_PREFIX)
    }
    direct = ",".join(filter(None, [ours.get("NO_PROXY", ours.get("no_proxy")), "127.0.0.1"]))
    return ours | {"NO_PROXY": direct, "no_proxy": direct}


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs one of our packages, with the interpreter that runs us."""
    return [sys.executable, "-P", "-m", module, *arguments]


def aws_environment(
    *, endpoint: str | None, region: str, access_key: str = NO_KEY
) -> dict[str, str]:
    """Return the variables that make AWS's libraries call the local region alone.

    A forgotten variable, a profile in a configuration file or the metadata service of a machine
    that happens to be an EC2 instance must not give a program real keys.

    Args:
        endpoint: of the local region; None for the region itself, which makes no calls.
        region: its name.
        access_key: the id of the key that the region demands, a secret.
    """
    variables = {
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return variables if endpoint is None else variables | {"AWS_ENDPOINT_URL": endpoint}


def environment(
    *,
    endpoint: str | None = None,
    region: str = "us-east-1",
    access_key: str = NO_KEY,
    settings: Mapping[str, str],
) -> dict[str, str]:
    """Return the whole environment of a program: built, so that none can reach a real account.

    Args:
        endpoint: see `aws_environment`.
        region: see `aws_environment`.
        access_key: see `aws_environment`.
        settings: the program's own.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return (
        kept
        | network()
        | aws_environment(endpoint=endpoint, region=region, access_key=access_key)
        | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1"}
        | dict(settings)
    )
