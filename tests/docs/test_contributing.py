"""CONTRIBUTING promises only what a contract or a command holds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()


CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
    "importlinter"
]["contracts"]


def contracts(**fields: set[str]) -> list[dict[str, Any]]:
    """Return the contracts whose fields hold at least some modules."""
    return [
        contract
        for contract in CONTRACTS
        if all(
            wanted <= set(re.findall(r"[\w.*]+", " ".join(contract.get(field, []))))
            for field, wanted in fields.items()
        )
    ]


def test_contract_keeps_programs_apart() -> None:
    programs = {"web_tier", "app_tier", "autoscaler", "ami", "workload_generator"}

    (layers,) = contracts(layers=programs)

    assert programs <= set(layers["layers"][0].split(" | "))


@pytest.mark.parametrize("package", ["gridwell", "web_tier", "app_tier", "autoscaler"])
def test_contract_gives_every_module_of_a_package_a_floor(package: str) -> None:
    assert [floors["exhaustive"] for floors in contracts(containers={package})] == [True]


@pytest.mark.parametrize(
    "module",
    [
        *("gridwell.engine", "gridwell.access", "gridwell.fleet", "app_tier.worker"),
        *("app_tier.executor", "web_tier.jobs", "web_tier.collector", "web_tier.api"),
    ],
)
def test_contract_keeps_kinds_out_of_a_module(module: str) -> None:
    assert contracts(source_modules={module}, forbidden_modules={"gridwell.kinds"})


@pytest.mark.parametrize("tier", ["app_tier", "web_tier"])
def test_contract_keeps_kinds_of_a_tier_apart(tier: str) -> None:
    assert contracts(modules={f"{tier}.kinds.*"})


@pytest.mark.parametrize("program", ["web_tier", "app_tier", "autoscaler", "gridwell.engine"])
def test_contract_leaves_aws_and_memcached_to_adapters(program: str) -> None:
    assert contracts(
        source_modules={program}, forbidden_modules={"boto3", "botocore", "pymemcache"}
    )


def test_contract_forbids_circles() -> None:
    assert [one for one in CONTRACTS if one["type"] == "acyclic_siblings"]


def test_contract_keeps_pure_modules_pure() -> None:
    pure = {"gridwell.engine", "gridwell.kinds", "gridwell.fleet", "gridwell.access"}

    assert contracts(
        source_modules=pure | {"autoscaler.decide"},
        forbidden_modules={"socket", "time", "random", "logging"},
    )


def test_commands_named_in_contributing_are_targets_of_make() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"`make ([a-z-]+)", PAGE)) <= targets


def test_ci_runs_the_commands_that_contributing_names() -> None:
    run = (ROOT / ".ci" / "run").read_text().splitlines()

    assert {"make check", "make test", "make simulate SEEDS=900", "make mutants"} <= set(run)
