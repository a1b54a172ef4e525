"""Check the subjects of commits: at most 72 characters, and an empty line below.

Commits before `FIRST` are left as they are.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
FIRST: Final = "388f859b7d93"
LONGEST: Final = 72


def faults(log: str) -> list[str]:
    """Return one line for each faulty commit.

    Args:
        log: of each commit its hash and raw message, with NUL between commits.
    """
    found = []
    for entry in filter(None, log.split("\0")):
        sha, _, message = entry.strip().partition("\n")
        subject, *rest = message.split("\n")
        if len(subject) > LONGEST:
            found.append(f"{sha[:12]}: {len(subject)} characters, at most {LONGEST}: {subject}")
        if rest and rest[0].strip():
            found.append(f"{sha[:12]}: put an empty line below the subject: {subject}")
    return found


def _log(range_: str) -> subprocess.CompletedProcess[str]:
    command = ["git", "log", "--no-merges", "-z", "--format=%H%n%B", range_]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


def main() -> int:
    """Print the faulty commits; 1 if there are any."""
    run = _log(f"{FIRST}..HEAD")
    if run.returncode:  # a shallow clone, or an unpacked archive
        run = _log("HEAD^..HEAD")
    if run.returncode:
        print(f"commits: not checked: {run.stderr.strip()}")
        return 0
    found = faults(run.stdout)
    print("\n".join([*found, f"commits: {len(found)} findings"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
