"""`python -m tests.chaos`: a long ordeal of a whole local stack of real processes."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gridwell.local_stack.memcached import free_port
from gridwell.local_stack.program_environment import python
from tests.chaos.disk import small_disk
from tests.chaos.experiment import LEASE_SECONDS, SETTINGS, Ordeal, Report, run
from tests.chaos.failpoints import FAILPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: For each hundred kills.
_OTHERS: Final = {
    "worker frozen": 4,
    "autoscaler frozen": 3,
    "collector frozen": 2,
    "cache flushed": 4,
    "cache frozen": 3,
    "cache tiny": 2,
    "region frozen": 1,
    "region away": 1,
    "chunks emptied": 1,
    "results emptied": 1,
    "chunks doubled": 3,
    "results doubled": 3,
    "disk full": 1,
    "no requests": 3,
    "instance terminated": 3,
}
#: What they lose is found out by waiting: without new jobs that takes three minutes, with them
#: eleven.
_LATE: Final = ("chunks emptied", "results emptied")


def main() -> int:
    """Run what the arguments ask for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, help="of the plan; else a fresh one, which is printed")
    parser.add_argument("--folder", type=Path, default=Path(".chaos"), help="where all of it is")
    chosen = parser.parse_args()
    seed = secrets.randbelow(10**6) if chosen.seed is None else chosen.seed
    folder = chosen.folder.resolve()
    # Whoever ends it wants its stack ended, too; in the background SIGINT is ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    _say(f"{chosen.kills} kills of seed {seed}")
    _bake(folder)
    with small_disk(folder / "disk", images=folder / "images") as why:
        others = dict(_OTHERS)
        if why:
            del others["disk full"]
            _say(f"skipped: disk full ({why})")
        state = folder if why else folder / "disk"
        report = run(
            state,
            _ordeal(seed, chosen.kills, others),
            chronicle=folder / "chaos.log",  # not on the disk that gets full
            aloud=True,
        )
    logs = folder / "logs" if why else folder / "disk-logs"
    _say(summary(report))
    if report.violations:
        _say("\n".join(["the last events:", *report.last]))
        _say(f"the same plan again: make chaos KILLS={chosen.kills} SEED={seed}")
    _say(f"all events: {folder / 'chaos.log'}, logs: {logs}")
    return int(bool(report.violations))


def _interrupt(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def _ordeal(seed: int, kills: int, others: Mapping[str, int]) -> Ordeal:
    return Ordeal(
        seed=seed,
        kills=kills,
        points=tuple(FAILPOINTS),
        others={kind: max(1, round(times * kills / 100)) for kind, times in others.items()},
        late=_LATE,
        pause=2.0,
        clients=10,
        timeout=1500.0,
        away=30.0,
    )


def _bake(folder: Path) -> None:
    """An image of this code, before the disk gets small: a stack that is up has one."""
    command = python("gridwell", "local", "up", f"--state={folder}", f"--port={free_port()}")
    subprocess.run([*command, "--detach"], check=True)
    subprocess.run(python("gridwell", "local", "down", f"--state={folder}"), check=True)


def summary(report: Report) -> str:
    """What came of a run, in words."""
    lines = [
        f"seed {report.seed}, {report.kills} kills, {report.seconds:.0f} s, {os.cpu_count()} cores",
        f"visibility timeout {LEASE_SECONDS} s; "
        + ", ".join(f"{name} {value}" for name, value in SETTINGS.items()),
        *_table("blows", report.struck),
        *_table("requests", report.requests),
        *_table("jobs in the ledger", report.jobs),
        f"dead letters, all accounted for: {report.dead_letters}",
        f"largest fleet: {report.largest_fleet}, in {report.looks} looks",
        f"the fleet went home {report.home_seconds:.1f} s after the last message",
        f"{len(report.violations)} violations",
        *report.violations,
    ]
    return "\n".join(lines)


def _table(title: str, counts: Mapping[str, int]) -> Iterable[str]:
    yield f"{title}:"
    yield from (f"  {count:>6} {name}" for name, count in counts.items())


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
