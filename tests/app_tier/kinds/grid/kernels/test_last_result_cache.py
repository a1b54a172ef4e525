"""What was found out of atoms is kept while they are the latest, and in use."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from app_tier.kinds.grid.kernels.last_result_cache import forget, latest
from gridwell.kinds.grid.atoms import Atoms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    forget()
    yield
    forget()


class Found:
    """A result whose end can be seen."""

    alive = 0

    def __init__(self) -> None:
        Found.alive += 1

    def __del__(self) -> None:
        Found.alive -= 1


@pytest.fixture
def find() -> Callable[..., Found]:
    Found.alive = 0

    @latest
    def found(_atoms: Atoms, _option: float = 0.0) -> Found:
        assert Found.alive == 0, "the one before is still there"
        return Found()

    return found


def some() -> Atoms:
    return Atoms.from_rows([(1.0, 2.0, 3.0, 1.0)])


def test_the_same_call_has_the_same_result(find: Callable[..., Found]) -> None:
    atoms = some()

    assert find(atoms, 1.0) is find(atoms, 1.0)


@pytest.mark.parametrize("change", ["atoms", "option"])
def test_a_result_is_let_go_of_before_another_is_found(
    find: Callable[..., Found], change: str
) -> None:
    atoms, others = some(), some()  # equal ones are others: they are not compared
    find(atoms, 1.0)

    find(others if change == "atoms" else atoms, 1.0 if change == "atoms" else 2.0)

    assert Found.alive == 1


def test_a_result_ends_with_its_atoms(find: Callable[..., Found]) -> None:
    atoms = some()
    find(atoms)

    del atoms
    gc.collect()

    assert Found.alive == 0


def test_two_functions_keep_what_they_found_of_the_same_atoms(find: Callable[..., Found]) -> None:
    @latest
    def other(_atoms: Atoms) -> list[int]:
        return [1]

    atoms = some()

    first, second = find(atoms), other(atoms)

    assert find(atoms) is first
    assert other(atoms) is second
