"""`python -m tests.simulation.hunt`: plant each mutant and see what finds it, and how soon."""

from __future__ import annotations

import argparse
import gc
import itertools
import os
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

from tests.simulation.batch import quiet, twins
from tests.simulation.faults import Faults
from tests.simulation.invariants import CALM
from tests.simulation.mutants import MUTANTS, planted
from tests.simulation.run_seed import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Hunt:
    """What became of a mutant."""

    mutant: str
    seeds: int  #: lived through
    seed: int | None  #: in which it was found
    killed_by: str | None  #: the invariant; None: it survived

    @property
    def line(self) -> str:
        """For the table."""
        found = "SURVIVED" if self.killed_by is None else self.killed_by
        mutant = MUTANTS[self.mutant]
        where = "" if mutant.kind is None else f" with {mutant.kind!r}"
        seed = "-" if self.seed is None else self.seed
        return f"{mutant.name:36} {found:30} {seed:>5} {self.seeds:>4} of {mutant.within}{where}"


def hunt(name: str) -> Hunt:
    """Live through seeds with a mutant, until one fails."""
    mutant = MUTANTS[name]
    with quiet(), planted(mutant):
        for lived, seed in enumerate(seeds_with(mutant.kind, mutant.within), start=1):
            lives = [simulate(seed).failure]
            lives += [twin.failure for twin in twins(seed).values()] if lives == [None] else []
            gc.collect()
            for failure in lives:
                if failure is not None:
                    # A bug that raises is seen without invariants, or fits the product no more.
                    assert not failure.startswith(CALM), f"{name} at seed {seed}: {failure}"
                    return Hunt(name, lived, seed, failure.split(":")[0])
    return Hunt(name, mutant.within, None, None)


def seeds_with(kind: str | None, count: int) -> Iterator[int]:
    """The first seeds that have a kind of fault; None: that have any or none."""
    fit = (s for s in itertools.count() if kind in {None, *Faults.draw(random.Random(s)).rates})
    return itertools.islice(fit, count)


def main() -> int:
    """Hunt the mutants that the arguments name; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.hunt", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="parts of names; none: all")
    asked = parser.parse_args().names
    names = [name for name in MUTANTS if not asked or any(part in name for part in asked)]
    began = time.monotonic()
    processes = len(os.sched_getaffinity(0))
    sys.stdout.write(f"{'mutant':36} {'found by':30} {'seed':>5} {'after':>4} seeds\n")
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
