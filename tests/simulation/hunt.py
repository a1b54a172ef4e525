"""`python -m tests.simulation.hunt`: plant each mutant and see what finds it, and how soon."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from tests.simulation.batch import twins
from tests.simulation.live import simulate
from tests.simulation.mutants import MUTANTS, planted


@dataclass(frozen=True, slots=True)
class Hunt:
    """What became of a mutant."""

    mutant: str
    seeds: int  #: lived through
    killed_by: str | None  #: the invariant; None: it survived

    @property
    def line(self) -> str:
        """For the table."""
        found = "SURVIVED" if self.killed_by is None else self.killed_by
        return f"{self.mutant:36} {found:30} {self.seeds:>4} of {MUTANTS[self.mutant].within}"


def hunt(name: str) -> Hunt:
    """Live through seeds with a mutant, until one fails."""
    logging.disable(logging.CRITICAL)
    gc.disable()
    mutant = MUTANTS[name]
    with planted(mutant):
        for seed in range(mutant.within):
            lives = [simulate(seed).failure]
            lives += [twin.failure for twin in twins(seed).values()] if lives == [None] else []
            gc.collect()
            for failure in lives:
                if failure is not None:
                    return Hunt(name, seed + 1, failure.split(":")[0])
    return Hunt(name, mutant.within, None)


def main() -> int:
    """Hunt the mutants that the arguments name; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.hunt", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="parts of names; none: all")
    asked = parser.parse_args().names
    names = [name for name in MUTANTS if not asked or any(part in name for part in asked)]
    began = time.monotonic()
    processes = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        hunts = []
        for found in pool.map(hunt, names):
            hunts.append(found)
            sys.stdout.write(f"{found.line}\n")
            sys.stdout.flush()
    survivors = [found.mutant for found in hunts if found.killed_by is None]
    sys.stdout.write(
        f"{len(hunts)} mutants, {len(survivors)} survive, {time.monotonic() - began:.0f} s\n"
    )
    return int(bool(survivors))


if __name__ == "__main__":
    sys.exit(main())
