"""Living through many seeds, in as many processes as there are cores."""

from __future__ import annotations

import gc
import logging
import os
from collections import Counter
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final
from unittest import mock

from tests.simulation.differential import a_call, poisoned, with_crash, without_cache
from tests.simulation.run_seed import Report, simulate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BATCH: Final = 20  #: seeds that a process is given at once
_AGAIN: Final = 10  #: every so many seeds are lived through twice
_TWINS: Final = 40  #: every so many have a twin of each kind


@dataclass(slots=True)
class Tally:
    """What became of many seeds."""

    seeds: int = 0
    seconds: float = 0.0  #: of virtual time
    events: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    jobs: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    fingerprints: dict[int, str] = field(default_factory=dict)

    def add(self, report: Report, *, what: str = "") -> None:
        """Count one life."""
        self.seconds += report.seconds
        self.events += report.events
        self.injected += report.injected
        self.checked += report.checked
        self.jobs += report.jobs
        if report.failure is not None:
            self.failures.append(
                f"seed {report.seed}{what}: {report.failure}\n  its last events:\n  "
                + "\n  ".join(report.last)
                + f"\n  replay: make simulate SEED={report.seed} TRACE=1"
            )

    def join(self, other: Tally) -> None:
        """Count what another process did."""
        self.seeds += other.seeds
        self.seconds += other.seconds
        self.events += other.events
        self.injected += other.injected
        self.checked += other.checked
        self.jobs += other.jobs
        self.failures += other.failures


@contextmanager
def quiet() -> Iterator[None]:
    """Without logs, and without the collecting of garbage that would take a quarter of the time."""
    disabled, collecting = logging.root.manager.disable, gc.isenabled()
    logging.disable(logging.CRITICAL)
    gc.disable()
    gc.freeze()  # what is there now is no garbage later
    try:
        yield
    finally:
        logging.disable(disabled)
        if collecting:
            gc.enable()
        gc.collect()
        gc.unfreeze()


def live(seeds: Sequence[int]) -> Tally:
    """Live through some seeds, and the twins of some of them."""
    tally = Tally()
    with quiet():
        for seed in seeds:
            report = simulate(seed)
            tally.seeds += 1
            tally.fingerprints[seed] = report.fingerprint
            tally.add(report)
            for what, twin in twins(seed).items():
                tally.add(twin, what=what)
    return tally


def twins(seed: int) -> dict[str, Report]:
    """The lives that a seed is compared with, by what they are."""
    if seed % _TWINS == 5:
        return {" without a cache": without_cache(seed)}
    if seed % _TWINS == 15:
        call, after = a_call(seed)
        when = "after" if after else "before"
        return {f", its autoscaler dead {when} call {call}": with_crash(seed, call, after=after)}
    if seed % _TWINS == 24:  # an even one, whose chunk is given up in the end
        return {" with nothing but poison": poisoned(seed)}
    return {}


def run(seeds: Sequence[int], *, processes: int | None = None) -> Tally:
    """Live through seeds, every tenth one twice.

    The second time is in another process with another hash seed: what hangs on the order of a set
    shows as another story.

    Args:
        seeds: which.
        processes: how many; None: one for each core.
    """
    count = processes or len(os.sched_getaffinity(0))
    batches = [seeds[first : first + _BATCH] for first in range(0, len(seeds), _BATCH)]
    tally = Tally()
    with ExitStack() as stack:
        pools = [stack.enter_context(_process(number)) for number in range(max(2, count))]
        first: list[Future[Tally]] = []
        again: list[Future[Tally]] = []
        for number, batch in enumerate(batches):
            first.append(pools[number % count].submit(live, batch))
            repeated = [seed for seed in batch if seed % _AGAIN == 0]
            again.append(pools[(number + 1) % len(pools)].submit(live, repeated))
        for future, other in zip(first, again, strict=True):
            made, repeat = future.result(), other.result()
            tally.join(made)
            tally.failures += [
                f"seed {seed}: two lives in two processes differ"
                for seed, fingerprint in repeat.fingerprints.items()
                if fingerprint != made.fingerprints[seed]
            ]
    return tally


def _process(number: int) -> ProcessPoolExecutor:
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    with mock.patch.dict(os.environ, PYTHONHASHSEED=str(number + 1)):
        pool.submit(int).result()  # it is started by the first task
    return pool
