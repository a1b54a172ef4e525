"""`python -m tests.simulation`: live through many seeds, or look at one."""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.simulation.faults import KINDS
from tests.simulation.world import Report, simulate

if TYPE_CHECKING:
    from collections.abc import Iterable

KEPT: Final = Path(__file__).with_name("seeds.txt")  #: seeds that failed once
_ENOUGH: Final = 300  #: seeds in which every kind of fault must happen
_DAY: Final = 86_400.0


def kept_seeds() -> list[int]:
    """Seeds that failed once: they are run for ever."""
    lines = KEPT.read_text().splitlines()
    return [int(line.split("#")[0]) for line in lines if line.split("#")[0].strip()]


def run(seeds: Iterable[int]) -> tuple[list[Report], list[str]]:
    """Live through seeds, every tenth one twice; also what went wrong, in words."""
    reports, wrong = [], []
    for seed in seeds:
        report = simulate(seed)
        reports.append(report)
        if report.failure is not None:
            wrong.append(f"seed {seed}: {report.failure}")
        if seed % 10 == 0 and simulate(seed).fingerprint != report.fingerprint:
            wrong.append(f"seed {seed}: two runs differ")
    return reports, wrong


def summary(reports: list[Report]) -> str:
    """What was lived through, in words."""
    injected: Counter[str] = Counter()
    checked: Counter[str] = Counter()
    jobs: Counter[str] = Counter()
    for report in reports:
        injected += report.injected
        checked += report.checked
        jobs += report.jobs
    days = sum(report.seconds for report in reports) / _DAY
    lines = [
        f"{len(reports)} seeds, {days:.1f} simulated days, {sum(r.events for r in reports)} events",
        *_table("faults injected", {kind: injected[kind] for kind in KINDS}),
        *_table("invariants checked", dict(sorted(checked.items()))),
        *_table("jobs", dict(sorted(jobs.items()))),
    ]
    return "\n".join(lines)


def main() -> int:
    """Run what the arguments ask for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many seeds, from 0 on")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="print each event of it")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if chosen.seed is not None:
        report = simulate(chosen.seed, tell=_say if chosen.trace else None)
        _say(f"seed {report.seed}: {report.failure or 'all holds'}; hash {report.fingerprint}")
        return int(report.failure is not None)
    reports, wrong = run([*range(chosen.seeds), *(s for s in kept_seeds() if s >= chosen.seeds)])
    _say(summary(reports))
    for report in reports:
        if report.failure is not None:
            _say(f"seed {report.seed}, its last events:\n" + "\n".join(report.last))
            _say(f"replay: make simulate SEED={report.seed} TRACE=1")
    if len(reports) >= _ENOUGH:
        happened = set().union(*(report.injected.keys() for report in reports))
        wrong += [f"the fault {kind!r} never happened" for kind in KINDS if kind not in happened]
    for words in wrong:
        _say(words)
    _say(f"{len(wrong)} failures")
    return int(bool(wrong))


def _table(title: str, counts: dict[str, int]) -> list[str]:
    return [f"{title}:", *(f"  {count:>9} {name}" for name, count in counts.items())]


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")


if __name__ == "__main__":
    sys.exit(main())
