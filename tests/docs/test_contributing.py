"""CONTRIBUTING promises only what a contract or a command holds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()


def rows(heading: str) -> list[str]:
    """Return the first cells of the first table of a section."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [
        row.split(" | ")[0].strip("| ") for row in re.findall(r"^\|.*$", section, re.MULTILINE)
    ][2:]


def test_contracts_named_in_contributing_are_those_of_import_linter() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]

    named = set(rows("Where code belongs"))

    assert named
    assert named <= {contract["name"] for contract in settings["contracts"]}


def test_commands_named_in_contributing_are_targets_of_make() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"`make ([a-z-]+)", PAGE)) <= targets


def test_ci_runs_the_commands_that_contributing_names() -> None:
    run = (ROOT / ".ci" / "run").read_text().splitlines()

    assert {"make check", "make test", "make simulate SEEDS=900", "make mutants"} <= set(run)
