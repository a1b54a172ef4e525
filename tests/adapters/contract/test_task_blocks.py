"""Blocks of tasks: one suite for the ledger in memory and for the one in DynamoDB."""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridwell.adapters.dynamodb.job_ledger import DynamoJobLedger
from gridwell.adapters.memory import MemoryLedger
from gridwell.engine.blocks import BLOCK, Block, Blocks, TaskCounts
from gridwell.engine.errors import InvalidMessage, ServiceBusy
from gridwell.engine.task_set import NO_TASKS, TaskSet
from tests.harness.builders import ATTEMPT, NOW, OTHER_ATTEMPT
from tests.harness.faulty_port import Lossy
from tests.harness.threads import at_once

if TYPE_CHECKING:
    from gridwell.engine.ports import JobLedger
    from tests.adapters.conftest import Aws

EXPIRES = NOW + 9
_jobs = itertools.count()


@pytest.fixture(scope="session")
def ledger(backend: str, request: pytest.FixtureRequest) -> JobLedger:
    if backend == "memory":
        return MemoryLedger()
    aws: Aws = request.getfixturevalue("aws")
    return DynamoJobLedger(aws.clients["dynamodb"], aws.names["LedgerTable"])


@pytest.fixture
def job() -> str:
    """The id of a job that no other test has."""
    return f"{next(_jobs):032x}"


def settle(ledger: JobLedger, job: str, blocks: Blocks, *sets: TaskSet) -> tuple[Block, ...]:
    return ledger.settle(job, ATTEMPT, blocks, *sets, expires=EXPIRES)


def test_a_block_that_was_never_written_misses_all_of_its_tasks(
    ledger: JobLedger, job: str
) -> None:
    blocks = Blocks(2500, BLOCK)

    assert ledger.read_blocks(job, ATTEMPT, blocks) == (
        Block(number=0, tasks=1000),
        Block(number=1, tasks=1000),
        Block(number=2, tasks=500),
    )


def test_settling_returns_the_blocks_that_it_touched_as_they_are_then(
    ledger: JobLedger, job: str
) -> None:
    blocks = Blocks(3000, BLOCK)
    settle(ledger, job, blocks, TaskSet.span(1000, 1900))

    touched = settle(ledger, job, blocks, TaskSet.span(1900, 2001))

    assert touched == (
        Block(number=1, tasks=1000, done=TaskSet.span(0, 1000)),
        Block(number=2, tasks=1000, done=TaskSet.span(0, 1)),
    )
    assert [block.settled for block in touched] == [True, False]


def test_settling_nothing_writes_nothing(ledger: JobLedger, job: str) -> None:
    assert settle(ledger, job, Blocks(3000, BLOCK), NO_TASKS) == ()


def test_a_late_success_wins_over_a_failure_and_a_cancel(ledger: JobLedger, job: str) -> None:
    blocks = Blocks(300, BLOCK)
    settle(ledger, job, blocks, NO_TASKS, TaskSet.span(0, 20), TaskSet.span(0, 30))

    (block,) = settle(ledger, job, blocks, TaskSet.span(10, 15))

    assert block.counts == TaskCounts(total=300, done=5, failed=15, cancelled=10)


def test_an_attempt_has_blocks_of_its_own(ledger: JobLedger, job: str) -> None:
    blocks = Blocks(300, BLOCK)
    settle(ledger, job, blocks, TaskSet.span(0, 300))

    (block,) = ledger.read_blocks(job, OTHER_ATTEMPT, blocks)

    assert block.done == NO_TASKS


def test_the_size_of_blocks_is_the_callers(ledger: JobLedger, job: str) -> None:
    # It is recorded in the job: another release's blocks may be larger or smaller.
    blocks = Blocks(1000, 400)

    touched = settle(ledger, job, blocks, TaskSet.span(399, 1000))

    assert [(block.number, len(block.done), block.settled) for block in touched] == [
        (0, 1, False),
        (1, 400, True),
        (2, 200, True),
    ]


def test_blocks_are_read_by_their_numbers_in_order(ledger: JobLedger, job: str) -> None:
    blocks = Blocks(12_000, BLOCK)
    settle(ledger, job, blocks, TaskSet.span(10_999, 11_001))

    found = ledger.read_blocks(job, ATTEMPT, blocks, [11, 2, 10, 11])

    assert [(block.number, len(block.done)) for block in found] == [(2, 0), (10, 1), (11, 1)]


def test_more_blocks_than_one_call_takes_are_all_read(ledger: JobLedger, job: str) -> None:
    blocks = Blocks(250, 1)
    settle(ledger, job, blocks, TaskSet.span(0, 250))

    assert all(block.settled for block in ledger.read_blocks(job, ATTEMPT, blocks))


def test_a_settling_whose_reply_was_lost_may_be_repeated(aws: Aws, job: str) -> None:
    blocks = Blocks(300, BLOCK)
    lossy: Any = Lossy(aws.clients["dynamodb"], "update_item")
    ledger = DynamoJobLedger(lossy, aws.names["LedgerTable"])
    with pytest.raises(ServiceBusy):
        settle(ledger, job, blocks, TaskSet.span(0, 7))

    (block,) = settle(ledger, job, blocks, TaskSet.span(0, 7))

    assert block.done == TaskSet.span(0, 7)


def test_writers_at_once_lose_nothing(ledger: JobLedger, job: str) -> None:
    blocks = Blocks(300, BLOCK)
    pieces = list(TaskSet.span(0, 300).pieces(40))

    at_once([functools.partial(settle, ledger, job, blocks, piece) for piece in pieces])

    assert ledger.read_blocks(job, ATTEMPT, blocks)[0].settled


_sets = st.sets(st.integers(0, 49), max_size=12).map(TaskSet.of)


@given(st.lists(st.tuples(_sets, _sets, _sets), min_size=1, max_size=6), st.data())
@settings(max_examples=8)
def test_any_order_and_duplicates_of_writes_give_one_state(
    ledger: JobLedger, writes: list[tuple[TaskSet, TaskSet, TaskSet]], data: st.DataObject
) -> None:
    blocks = Blocks(50, 20)
    one, other = (f"{next(_jobs):032x}" for _ in range(2))
    again = data.draw(st.permutations(writes + writes[:2]))

    for write in writes:
        settle(ledger, one, blocks, *write)
    for write in again:
        settle(ledger, other, blocks, *write)

    found = ledger.read_blocks(one, ATTEMPT, blocks)
    assert found == ledger.read_blocks(other, ATTEMPT, blocks)
    states = blocks.joined(found)
    assert states.done == TaskSet.union(done for done, _, _ in writes)
    assert states.failed == TaskSet.union(failed for _, failed, _ in writes)
    assert states.cancelled == TaskSet.union(cancelled for _, _, cancelled in writes)


@pytest.mark.parametrize(
    ("run", "said"), [("7-3", "does not rise"), ("0-500", "beyond its 300"), ("x", "not a run")]
)
def test_a_block_that_cannot_be_read_is_refused(aws: Aws, job: str, run: str, said: str) -> None:
    client, table = aws.clients["dynamodb"], aws.names["LedgerTable"]
    key = f"block#{job}#{ATTEMPT}#0"
    client.put_item(TableName=table, Item={"pk": {"S": key}, "done": {"SS": [run]}})

    with pytest.raises(InvalidMessage, match=said):
        DynamoJobLedger(client, table).read_blocks(job, ATTEMPT, Blocks(300, BLOCK))


def test_a_block_item_expires_and_stays_small(aws: Aws, job: str) -> None:
    client, table = aws.clients["dynamodb"], aws.names["LedgerTable"]
    ledger = DynamoJobLedger(client, table)
    # The worst that one flush can write: no two of its tasks touch.
    settle(ledger, job, Blocks(BLOCK, BLOCK), TaskSet.of(range(0, BLOCK, 2)))
    key = {"pk": {"S": f"block#{job}#{ATTEMPT}#0"}}

    item = client.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]

    assert item["expires"] == {"N": str(int(EXPIRES))}
    assert sum(map(len, item["done"]["SS"])) <= 2_964 / 2
