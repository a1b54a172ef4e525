from __future__ import annotations

from gridwell.local_stack.restart_policy import LONG_SECONDS, Life


def pauses(lived: float, ends: int) -> list[float]:
    """The pauses of a program that lives for so long each time."""
    life, found = Life(began=100.0), []
    for _ in range(ends):
        pause, life = life.after(life.began + lived)
        found.append(pause)
    return found


def test_a_program_that_is_killed_now_and_then_is_started_again_at_once() -> None:
    assert pauses(LONG_SECONDS, 20) == [0.0] * 20
    assert pauses(1.0, 3) == [0.0] * 3


def test_a_program_that_cannot_live_is_started_ever_more_rarely() -> None:
    assert pauses(0.5, 10) == [0, 0, 0, 0.5, 1, 2, 4, 8, 10, 10]


def test_a_long_life_makes_up_for_short_ones() -> None:
    life = Life(began=0.0)
    for _ in range(6):
        _, life = life.after(life.began)

    pause, life = life.after(life.began + LONG_SECONDS)

    assert (pause, life.short_ones) == (0.0, 0)
