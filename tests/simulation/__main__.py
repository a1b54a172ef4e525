"""`python -m tests.simulation`: live through many seeds, or look at one."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Final

from tests.simulation.batch import Tally, quiet, run, twins
from tests.simulation.faults import KINDS
from tests.simulation.invariants import INVARIANTS
from tests.simulation.run_seed import simulate

KEPT: Final = Path(__file__).with_name("seeds.txt")  #: seeds that failed once
_ENOUGH: Final = 3000  #: seeds in which every kind of fault must happen, every invariant be checked
_DAY: Final = 86_400.0


def kept_seeds() -> list[int]:
    """Seeds that failed once: they are run for ever."""
    lines = KEPT.read_text().splitlines()
    return [int(line.split("#")[0]) for line in lines if line.split("#")[0].strip()]


def summary(tally: Tally, elapsed: float) -> str:
    """What was lived through, in words."""
    lived = f"{tally.seeds} seeds, {tally.seconds / _DAY:.1f} simulated days, {tally.events} events"
    lines = [
        f"{lived} in {elapsed:.0f} s: {tally.seeds / elapsed:.0f} seeds per second",
        *_table("faults injected", {kind: tally.injected[kind] for kind in KINDS}),
        "invariants checked:",
        *(f"  {tally.checked[name]:>9} {name}: {what}" for name, what in INVARIANTS.items()),
        *_table("jobs", dict(sorted(tally.jobs.items()))),
    ]
    return "\n".join(lines)


def unseen(tally: Tally) -> list[str]:
    """Faults that never happened, and invariants that were never looked at."""
    return [
        *(f"the fault {kind!r} never happened" for kind in KINDS if not tally.injected[kind]),
        *(f"{name!r} was never checked" for name in INVARIANTS if not tally.checked[name]),
    ]


def one(seed: int, *, trace: bool) -> int:
    """Look at one seed; returns the exit status."""
    report = simulate(seed, tell=_say if trace else None)
    _say(f"seed {report.seed}: {report.failure or 'all holds'}; hash {report.fingerprint}")
    failures = [report.failure]
    for what, twin in twins(seed).items():
        _say(f"seed {seed}{what}: {twin.failure or 'all holds'}")
        failures.append(twin.failure)
    return int(any(failure is not None for failure in failures))


def main() -> int:
    """Run what the arguments ask for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many seeds, from 0 on")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="print each event of it")
    chosen = parser.parse_args()
    if chosen.seed is not None:
        with quiet():
            return one(chosen.seed, trace=chosen.trace)
    began = time.monotonic()
    tally = run([*range(chosen.seeds), *(s for s in kept_seeds() if s >= chosen.seeds)])
    _say(summary(tally, time.monotonic() - began))
    wrong = [*tally.failures, *(unseen(tally) if tally.seeds >= _ENOUGH else [])]
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
