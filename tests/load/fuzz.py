"""Requests generated from the interface's own description, against a real gunicorn: `make fuzz`.

The site stands on the memory doubles: what is tried is the HTTP side, and it answers some twenty
times as many requests a second as on a local region.  Its jobs end a moment after they came, so
that the links from a submission lead to atoms and records too.

Generated bodies are small, so large ones of many shapes are sent besides: each is to be refused
shortly, at a cost in proportion to its length.
"""

from __future__ import annotations

import argparse
import itertools
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.harness.scaling import FACTOR, LINEAR
from tests.load import app
from tests.load.server import Server, serving
from tests.web_tier.kinds.grid.test_reading_cost import ANSWER, FIELDS, NAMES, OBJECTS, VALUES

THREADS = 160
LARGE = 200_000  #: bytes of the smaller of two bodies of one shape
_LEAST_SECONDS = 0.05  #: of CPU time: less is counted as this
#: Without `use_after_free`: DELETE cancels a job, and what it was asked stays readable.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ensure_resource_availability",
)


@dataclass(frozen=True)
class Fuzzed:
    """What a run found."""

    ok: bool
    requests: int
    words: str  #: schemathesis' own, with a command that repeats each failure
    log: str  #: what the server said


def fuzz(*, examples: int, seed: int) -> Fuzzed:
    """Try some examples of each operation, and of chains of them.

    Args:
        examples: of each operation; the same again of chains.
        seed: the same seed tries the same requests.
    """
    env = {app.DELAY: "0.05", app.CAPACITY: "32"}
    site = "tests.load.app:application()"
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder) / "log", threads=THREADS, app=site, env=env) as server,
    ):
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json",
            "--checks", ",".join(CHECKS), "--max-examples", str(examples),
            "--seed", str(seed), "--continue-on-failure", "--request-timeout", "60",
            "--suppress-health-check", "all", "--no-color",
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=3600
        )
        faults = large_bodies(server)
        log = server.log
    words = done.stdout + done.stderr + "".join(f"{fault}\n" for fault in faults)
    counted = re.search(r"(\d+) generated", words)
    broken = done.returncode != 0 or "Traceback" in log or bool(faults)
    return Fuzzed(not broken, int(counted[1]) if counted else 0, words, log)


def large_bodies(server: Server) -> list[str]:
    """Send large bodies of many shapes; return what is wrong with the answers or their cost."""
    shapes = {
        **{
            f"{what} names in {where}": (form, make)
            for where, form in OBJECTS.items()
            for what, make in NAMES.items()
        },
        **{
            f"{what} in {form[:60]}": (form, VALUES[what])
            for form, what in zip(FIELDS, itertools.cycle(VALUES), strict=False)
        },
    }
    faults = []
    for name, (form, make) in shapes.items():
        taken = []
        for size in (LARGE, FACTOR * LARGE):
            before = server.seconds()
            answer = requests.post(
                f"{server.url}/v1/jobs",
                data=(form % make(size)).encode(),
                headers={"Content-Type": "application/json"},
                timeout=60,
            )
            taken.append(max(_LEAST_SECONDS, server.seconds() - before))
            if answer.status_code not in (202, 400, 413, 422) or len(answer.content) > ANSWER:
                faults.append(f"{name}: {answer.status_code} with {len(answer.content)} bytes")
        small, large = taken
        if large > LINEAR * small:
            faults.append(
                f"{name}: {small:.2f} s of CPU time, and {large:.2f} s for {FACTOR} times"
            )
    return faults


def main() -> None:
    """Fuzz until enough requests were sent, and end with status 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    sent = 0
    for seed in itertools.count(chosen.seed):
        found = fuzz(examples=300, seed=seed)
        sent += found.requests
        sys.stdout.write(f"seed {seed}: {sent} requests so far\n")
        sys.stdout.flush()
        if not found.ok or not found.requests:
            sys.stdout.write(f"{found.words}\n{found.log}\n")
            sys.exit(1)
        if sent >= chosen.requests:
            sys.stdout.write("nothing found\n")
            return


if __name__ == "__main__":
    main()
