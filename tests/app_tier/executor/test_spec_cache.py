"""Which problems a compute process keeps."""

from __future__ import annotations

from app_tier.executor.spec_cache import KEPT_BYTES, SpecCache


def shelf_of(*sizes: int) -> SpecCache[int]:
    shelf: SpecCache[int] = SpecCache()
    for number, size in enumerate(sizes):
        shelf.put(str(number), number, size)
    return shelf


def kept(shelf: SpecCache[int]) -> str:
    return "".join(name for name in "0123" if name in shelf)


def test_the_two_latest_small_problems_are_kept() -> None:
    assert kept(shelf_of(10, 10, 10)) == "12"


def test_what_was_taken_is_the_latest() -> None:
    shelf = shelf_of(10, 10)

    assert shelf.take("0") == 0

    shelf.put("2", 2, 10)
    assert kept(shelf) == "02"


def test_the_largest_problem_is_kept_alone() -> None:
    assert kept(shelf_of(10, KEPT_BYTES)) == "1"
    assert kept(shelf_of(KEPT_BYTES, 10)) == "1"


def test_room_is_made_before_a_problem_is_there() -> None:
    shelf = shelf_of(10, 10)

    shelf.make_room(KEPT_BYTES)

    assert kept(shelf) == ""


def test_a_problem_that_is_put_again_takes_its_room_once() -> None:
    shelf = shelf_of(10, KEPT_BYTES // 2)

    shelf.put("1", 7, KEPT_BYTES // 2)

    assert kept(shelf) == "01"
    assert shelf.take("1") == 7
    shelf.drop("1")
    assert kept(shelf) == "0"
