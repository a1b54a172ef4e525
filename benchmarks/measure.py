"""Timing candidates one after the other, again and again, so that all meet the same machine."""

from __future__ import annotations

import platform
import statistics
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured candidate in one setting."""

    setting: str
    candidate: str
    seconds: float  #: the median
    spread: float  #: the largest over the least
    ratio: float  #: how many times faster than the setting's baseline
    rate: float  #: pairs per second, for methods that compute all of them; else as if they did


def interleaved(
    setting: str,
    candidates: Mapping[str, tuple[Callable[[], object], float, float]],
    *,
    baseline: str,
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Figure]:
    """Median times of candidates, each run once per round.

    Args:
        setting: what they all do.
        candidates: by name: the call; the share of the whole work that it does, by which its time
            is divided; and the pairs of the whole work.
        baseline: the candidate that the ratios refer to.
        repeats: how many rounds.
        clock: seconds; `time.process_time` where others use the machine too.
    """
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(repeats):
        for name, (call, share, _) in candidates.items():
            start = clock()
            call()
            times[name].append((clock() - start) / share)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    return [
        Figure(
            setting=setting,
            candidate=name,
            seconds=medians[name],
            spread=max(times[name]) / min(times[name]),
            ratio=medians[baseline] / medians[name],
            rate=pairs / medians[name],
        )
        for name, (_, _, pairs) in candidates.items()
    ]


def machine() -> str:
    """Return the machine, the versions that matter and the date, in one line."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = f"{len(names)} x {names[0].partition(':')[2].strip()}" if names else model
    gcc = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=False)
    versions = [f"Python {platform.python_version()}"]
    for name in ("numpy", "numba", "scipy"):
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"no {name}")
    versions.append(f"gcc {gcc.stdout.strip()}" if gcc.returncode == 0 else "no gcc")
    return f"{model}; {', '.join(versions)}; {datetime.now(UTC):%d %b %Y %H:%M} UTC"
