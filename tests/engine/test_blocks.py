"""Blocks of tasks: which a set touches, when one is settled, and that each task counts once."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.blocks import BLOCK, IN_ITEM, Block, Blocks, TaskCounts, block_size
from gridwell.engine.task_set import NO_TASKS, TaskSet


@st.composite
def _jobs(draw: st.DrawFn) -> tuple[Blocks, set[int]]:
    tasks = draw(st.integers(1, 200))
    numbers = draw(st.sets(st.integers(0, tasks - 1), max_size=60))
    return Blocks(tasks, draw(st.integers(1, 50))), numbers


def test_only_jobs_of_more_than_256_tasks_have_blocks() -> None:
    assert [block_size(tasks) for tasks in (1, IN_ITEM, IN_ITEM + 1, 10**6)] == [0, 0, BLOCK, BLOCK]


@given(_jobs())
def test_blocks_cover_each_task_once(job: tuple[Blocks, set[int]]) -> None:
    blocks, _ = job
    covered = [task for number in range(len(blocks)) for task in blocks.all_of(number)]

    assert covered == list(range(blocks.tasks))
    assert sum(map(blocks.tasks_of, range(len(blocks)))) == blocks.tasks


@given(_jobs())
def test_a_set_is_split_into_the_blocks_that_it_touches(job: tuple[Blocks, set[int]]) -> None:
    blocks, numbers = job
    split = blocks.split(TaskSet.of(numbers))

    assert set(split) == {number // blocks.size for number in numbers}
    joined = blocks.joined(
        Block(number=number, tasks=blocks.tasks_of(number), done=offsets)
        for number, offsets in split.items()
    )
    assert joined.done == TaskSet.of(numbers)
    assert joined.missing == TaskSet.span(0, blocks.tasks) - joined.done


@given(_jobs())
def test_a_block_is_settled_when_each_of_its_tasks_is_in_a_set(
    job: tuple[Blocks, set[int]],
) -> None:
    blocks, numbers = job
    for number, offsets in blocks.split(TaskSet.of(numbers)).items():
        states = Block(number=number, tasks=blocks.tasks_of(number), failed=offsets)
        assert states.settled == (set(blocks.all_of(number)) <= numbers)
        rest = states.missing
        assert replace(states, done=rest).settled


def test_each_task_counts_once_and_done_wins_over_failed() -> None:
    block = Block(
        number=0,
        tasks=10,
        done=TaskSet.read(["0-3"]),
        failed=TaskSet.read(["2-5"]),
        cancelled=TaskSet.read(["0-7"]),
    )

    assert block.counts == TaskCounts(total=10, done=4, failed=2, cancelled=2)
    assert block.counts.left == len(block.missing) == 2


def test_counts_of_blocks_add_up() -> None:
    one = TaskCounts(total=1000, done=900, failed=17)
    other = TaskCounts(total=500, done=500)

    assert one + other == TaskCounts(total=1500, done=1400, failed=17)


def test_a_block_of_nothing_misses_all_of_its_tasks() -> None:
    assert Block(number=3, tasks=7).missing == TaskSet.span(0, 7)
    assert Block(number=3, tasks=0).missing == NO_TASKS
