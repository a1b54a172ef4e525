"""Counts of a job's tasks by their state, and the missing ones, with blocks or without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridwell.engine.blocks import TaskCounts, TaskStates
from gridwell.engine.task_set import TaskSet

if TYPE_CHECKING:
    from gridwell.engine.job import Job
    from gridwell.engine.ports import JobLedger


def task_states(ledger: JobLedger, job: Job) -> TaskStates:
    """Return the states of a job's tasks: of one in blocks by a read of each hundred of them.

    Raises:
        ServiceError: if the blocks cannot be read.
        InvalidMessage: if one of them is damaged.
    """
    if job.blocks is None:
        return TaskStates(tasks=job.tasks, done=TaskSet.of(job.done), failed=TaskSet.of(job.failed))
    return job.blocks.joined(ledger.read_blocks(job.id, job.attempt, job.blocks))


def count_tasks(ledger: JobLedger, job: Job) -> TaskCounts:
    """Return how many tasks are in which state, without a list of them and without a scan.

    An ended job keeps its counts, so that none of its blocks is read.

    Raises:
        ServiceError: if the blocks cannot be read.
        InvalidMessage: if one of them is damaged.
    """
    if job.state.terminal and job.counts is not None:
        return job.counts
    return task_states(ledger, job).counts


def missing_tasks(ledger: JobLedger, job: Job) -> TaskSet:
    """Return the tasks that have not come to an end, as runs.

    Raises:
        ServiceError: if the blocks cannot be read.
        InvalidMessage: if one of them is damaged.
    """
    return task_states(ledger, job).missing
