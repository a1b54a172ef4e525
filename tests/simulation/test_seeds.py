"""A few hundred seeds of the simulator, and that it finds what it is there to find."""

from __future__ import annotations

import pytest

from tests.simulation.__main__ import kept_seeds, unseen
from tests.simulation.batch import live, run
from tests.simulation.differential import with_crash
from tests.simulation.hunt import hunt
from tests.simulation.mutants import MUTANTS
from tests.simulation.run_seed import simulate

#: Found within a few seeds: the others are hunted by `make mutants`.
SAMPLE = (
    "counter instead of a set",
    "deleted before sent",
    "deleted before merged",
    "few chunks want nobody",
    "sent again always",
    "stopped instances go at once",
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_wrong_or_left_running_in_200_seeds() -> None:
    tally = run([*range(200), *kept_seeds()])

    assert tally.failures == []
    assert len(unseen(tally)) <= 3  # the rare ones need more seeds


def test_a_seed_tells_the_same_story_twice() -> None:
    told: list[str] = []
    again: list[str] = []

    simulate(4, tell=told.append)
    simulate(4, tell=again.append)

    assert told == again
    assert len(told) > 10


def test_an_autoscaler_killed_while_it_grows_the_fleet_launches_nothing_more() -> None:
    # The first growth is among these calls; `make simulate` tries others.
    lives = [with_crash(1, call, after=call % 2 == 0) for call in range(3, 25, 3)]

    assert [life.failure for life in lives] == [None] * len(lives)
    assert all(life.launches > 1 for life in lives)


@pytest.mark.parametrize("name", SAMPLE)
def test_a_seeded_bug_is_found(name: str) -> None:
    found = hunt(name)

    assert found.killed_by is not None
    assert live([0]).failures == []  # and is gone afterwards


def test_every_mutant_says_what_it_is() -> None:
    assert len(MUTANTS) >= 15
    assert all(mutant.bug.endswith(".") for mutant in MUTANTS.values())
