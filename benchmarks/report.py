"""A benchmark's figures as a table, a CSV file and a plot."""

from __future__ import annotations

import csv
from dataclasses import asdict, fields
from itertools import groupby
from typing import TYPE_CHECKING

from benchmarks.measure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def lines(figures: Sequence[Figure]) -> Iterator[str]:
    """Yield the figures as lines of text, a block for each setting."""
    for setting, block in groupby(figures, key=lambda figure: figure.setting):
        yield f"\n{setting}"
        yield f"  {'':38}{'seconds':>11}{'Gpairs/s':>11}{'ratio':>10}{'spread':>8}"
        for figure in block:
            yield (
                f"  {figure.candidate:38}{figure.seconds:11.4g}{figure.rate / 1e9:11.4g}"
                f"{figure.ratio:10.4g}{figure.spread:8.2f}"
            )


def write_csv(path: Path, machine: str, figures: Sequence[Figure]) -> None:
    """Write all figures, with the machine in a first line that begins with #."""
    with path.open("w", newline="") as file:
        file.write(f"# {machine}\n")
        writer = csv.DictWriter(file, [field.name for field in fields(Figure)])
        writer.writeheader()
        for figure in figures:
            row = asdict(figure)
            row |= {name: f"{row[name]:.4g}" for name in ("seconds", "spread", "ratio", "rate")}
            writer.writerow(row)


def write_plot(path: Path, machine: str, figures: Sequence[Figure]) -> None:
    """Draw how many times faster than its baseline each candidate is."""
    from matplotlib import pyplot as plt  # noqa: PLC0415  an extra; the table needs none

    labels = [f"{figure.setting}: {figure.candidate}" for figure in figures]
    drawing, axes = plt.subplots(figsize=(11, 1 + 0.28 * len(figures)), layout="constrained")
    colours = {setting: f"C{k % 10}" for k, setting in enumerate({f.setting: 0 for f in figures})}
    axes.barh(
        labels,
        [figure.ratio for figure in figures],
        color=[colours[figure.setting] for figure in figures],
    )
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("times faster than the setting's baseline (1 is the baseline itself)")
    axes.margins(y=0.01)
    drawing.suptitle(machine, fontsize=8)
    axes.grid(axis="x", alpha=0.3)
    drawing.savefig(path, dpi=110)
    plt.close(drawing)
