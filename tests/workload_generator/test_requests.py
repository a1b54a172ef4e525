"""The stream of requests."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.grid_requests import read_job
from workload_generator.requests import SEEDED_EVERY, Energies, Mix, request

MIX = Mix(seed=1, offset=0, grid_sizes=(4, 8), atom_counts=(20, 50))


@st.composite
def mixes(draw: Any) -> Mix:
    return Mix(
        seed=draw(st.integers(0, 2**53 - 1)),
        offset=draw(st.integers(0, 2**53 - 1)),
        grid_sizes=tuple(draw(st.lists(st.integers(2, 16), min_size=1, max_size=3))),
        atom_counts=tuple(draw(st.lists(st.integers(1, 30), min_size=1, max_size=3))),
        energies=draw(st.sampled_from(Energies)),
        repeat_fraction=draw(st.sampled_from([0.0, 0.3, 1.0])),
    )


@given(mixes(), st.integers(0, 50))
def test_a_place_gives_the_same_request_each_time(mix: Mix, place: int) -> None:
    assert request(mix, place).body() == request(mix, place).body()


@given(mixes(), st.integers(0, 50))
def test_a_request_is_drawn_from_the_lists(mix: Mix, place: int) -> None:
    drawn = request(mix, place)

    assert drawn.grid_size in mix.grid_sizes
    assert drawn.atom_count in mix.atom_counts


@given(mixes(), st.integers(0, 50))
def test_the_service_reads_every_request(mix: Mix, place: int) -> None:
    drawn = request(mix, place)

    asked = read_job(json_of(drawn.body()))

    assert asked.problem.grid.shape == (drawn.grid_size,) * 3
    assert asked.problem.atoms.count == drawn.atom_count
    assert asked.seed == drawn.seed


@given(mixes())
def test_one_request_in_ten_leaves_its_atoms_to_the_service(mix: Mix) -> None:
    plain = replace(mix, repeat_fraction=0.0)

    seeded = [request(plain, place).seed is not None for place in range(2 * SEEDED_EVERY)]

    assert sum(seeded) == 2


@pytest.mark.parametrize(
    ("energies", "signs"),
    [
        (Energies.SIGNED, {-1.0, 1.0}),
        (Energies.POSITIVE, {1.0}),
        (Energies.NEGATIVE, {-1.0}),
    ],
)
def test_energies_have_the_sign_that_was_asked_for(energies: Energies, signs: set[float]) -> None:
    atoms = request(replace(MIX, energies=energies), 0).atoms()

    assert atoms is not None
    assert set(np.sign(atoms[:, 3]).tolist()) == signs


def test_atoms_fill_the_box_of_the_grid() -> None:
    drawn = request(replace(MIX, grid_sizes=(8,), atom_counts=(1000,)), 0)

    atoms = drawn.atoms()

    assert atoms is not None
    assert atoms[:, :3].min() >= 0
    assert 6.9 < atoms[:, :3].max() <= 7


def test_another_offset_or_seed_shares_no_problem() -> None:
    runs = [MIX, replace(MIX, offset=1000), replace(MIX, seed=2)]

    bodies = [str(request(mix, place).body()) for mix in runs for place in range(20)]

    assert len(set(bodies)) == len(bodies)


def test_repeats_are_of_earlier_requests_and_as_many_as_wished() -> None:
    mix = replace(MIX, repeat_fraction=0.5)

    numbers = [request(mix, place).number for place in range(400)]

    repeats = [number < place for place, number in enumerate(numbers)]
    assert all(number <= place for place, number in enumerate(numbers))
    assert 0.4 < sum(repeats) / len(repeats) < 0.6


def json_of(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()
