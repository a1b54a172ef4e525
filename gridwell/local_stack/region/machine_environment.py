"""The whole environment of what runs in an instance: built, never inherited.

A forgotten variable of the user's shell must not reach a machine that talks to an API.  There
are no AWS keys in it: credentials come from the metadata service, as on EC2.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gridwell.local_stack.program_environment import network

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def machine_environment(
    *,
    folder: Path,
    disk: Path,
    pip_cache: Path,
    region: str,
    endpoint: str,
    metadata_endpoint: str,
) -> dict[str, str]:
    """Return the variables of one machine.

    Args:
        folder: the instance's; its command stubs, home and temporary files are in here.
        disk: the folder that stands for /opt/gridwell.
        pip_cache: shared by all instances, so that a second bake downloads nothing.
        region: of the instance.
        endpoint: of the region's API.
        metadata_endpoint: of the instance's metadata service.
    """
    home, temporary = folder / "root", folder / "var/tmp"
    for needed in (home, temporary):
        needed.mkdir(parents=True, exist_ok=True)
    # `python3` in the machine is the interpreter that runs us, not whatever PATH finds first.
    python = Path(sys.executable).resolve().parent
    return network() | {
        "PATH": f"{folder / 'var/bin'}:{python}:{SYSTEM_PATH}",
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "GRIDWELL_HOME": str(disk),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata_endpoint,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "PIP_CACHE_DIR": str(pip_cache),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
