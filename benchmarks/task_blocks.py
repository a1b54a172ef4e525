"""`python -m benchmarks.task_blocks`: what the states of a million tasks cost, in CPU and bytes."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import boto3
from moto import mock_aws

from gridwell.adapters.dynamodb.job_ledger import DynamoJobLedger
from gridwell.adapters.memory import MemoryLedger
from gridwell.engine.blocks import BLOCK, Blocks, TaskCounts
from gridwell.engine.task_set import TaskSet

if TYPE_CHECKING:
    from gridwell.engine.ports import JobLedger

_JOB: Final = "0" * 32
_ATTEMPT: Final = "1" * 16
_TABLE: Final = "ledger"
_FLUSHES: Final = 10  #: chunks whose results one flush joins


def main() -> int:
    """Measure both ledgers; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.task_blocks", description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--pack", type=int, default=100, help="tasks of a chunk")
    chosen = parser.parse_args()
    measure("memory", MemoryLedger(), chosen.tasks, chosen.pack)
    with mock_aws():
        client = boto3.client("dynamodb", "us-east-1")
        client.create_table(
            TableName=_TABLE,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        measure("moto", DynamoJobLedger(client, _TABLE), chosen.tasks, chosen.pack)
        _say(f"moto: bytes of a block's item: {_sizes(client, Blocks(chosen.tasks, BLOCK))}")
    return 0


def measure(name: str, ledger: JobLedger, tasks: int, pack: int) -> None:
    """Settle all tasks in flushes of some chunks, then count them."""
    blocks = Blocks(tasks, BLOCK)
    pieces = list(TaskSet.span(0, tasks).pieces(pack))
    pieces = pieces[::2] + pieces[1::2]  # neighbours never come in one flush
    flushes = [pieces[first : first + _FLUSHES] for first in range(0, len(pieces), _FLUSHES)]
    began, written = time.process_time(), 0
    for flush in flushes:
        done = TaskSet.union(flush)
        written += len(ledger.settle(_JOB, _ATTEMPT, blocks, done, expires=1e9))
    settled = time.process_time() - began
    began = time.process_time()
    states = blocks.joined(ledger.read_blocks(_JOB, _ATTEMPT, blocks))
    counted = time.process_time() - began
    if states.counts != TaskCounts(total=tasks, done=tasks):
        raise RuntimeError(f"{name} counts {states.counts}, of {tasks} tasks that are done")
    _say(
        f"{name}: {tasks:,} tasks, {pack} a chunk, {len(flushes):,} flushes of {_FLUSHES} chunks: "
        f"{written:,} writes of blocks, {1000 * settled / len(flushes):.2f} ms of CPU a flush, "
        f"{1e6 * settled / tasks:.2f} us a task; counting all: {counted:.2f} s of CPU"
    )


def _sizes(client: Any, blocks: Blocks) -> str:
    found = []
    for number in range(len(blocks)):
        key = {"pk": {"S": f"block#{_JOB}#{_ATTEMPT}#{number}"}}
        item = client.get_item(TableName=_TABLE, Key=key)["Item"]
        runs = item["done"]["SS"]
        names = sum(map(len, item)) + len(key["pk"]["S"]) + len(item["expires"]["N"])
        found.append(names + sum(map(len, runs)))
    return f"{min(found)} to {max(found)}"


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")


if __name__ == "__main__":
    sys.exit(main())
