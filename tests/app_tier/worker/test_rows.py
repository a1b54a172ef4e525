"""Chunks of several tasks in a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app_tier.executor.port import TaskOutcome
from gridwell.engine.messages import RowsMessage
from gridwell.engine.rows import Row
from tests.harness.worker import World, actions

if TYPE_CHECKING:
    import pytest


def running(world: World, tasks: str = "1-3") -> int:
    """Have a chunk of several tasks begun, and return its ticket."""
    job = world.submit(chunks=4, send=[])
    world.send(job, [int(tasks.partition("-")[0])], tasks=tasks)
    world.step()
    (ticket,) = world.compute.tasks
    return ticket


def end(world: World, ticket: int, rows: list[Row]) -> None:
    del world.compute.tasks[ticket]
    world.compute.outcomes.append(TaskOutcome(ticket=ticket, rows=tuple(rows), seconds=0.5))


def rows_of(world: World) -> list[Row]:
    return [
        row for report in world.reports() if isinstance(report, RowsMessage) for row in report.rows
    ]


def test_executor_gets_the_tasks_of_a_chunk() -> None:
    world = World()
    task = world.compute.tasks[running(world)]

    assert (task.task, task.count) == (1, 3)


def test_rows_are_sent_before_the_chunk_is_deleted() -> None:
    world = World()
    rows = [Row(task=1), Row(task=2, exit=7, reason="exit"), Row(task=3)]
    end(world, running(world), rows)
    world.step()

    assert rows_of(world) == rows
    order = [name for name, _ in world.calls if name in ("results.send", "chunks.delete")]
    assert order == ["results.send", "chunks.delete"]
    assert world.left() == (0, 0)


def test_chunk_stays_while_one_of_its_messages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    ticket = running(world, "0-3")
    send = world.answers.send

    def refuse(bodies: list[str], *, group: str = "") -> list[int]:
        return [*send(bodies[:-1], group=group), len(bodies) - 1]

    monkeypatch.setattr("gridwell.engine.messages.MAX_ROWS", 2)
    monkeypatch.setattr(world.answers, "send", refuse)
    end(world, ticket, [Row(task=number) for number in range(4)])
    step = world.step()

    assert "worker.result_refused" in actions(step)
    assert world.left() == (0, 1)
    monkeypatch.undo()
    world.step()
    assert {row.task for row in rows_of(world)} == {0, 1, 2, 3}
    assert world.left() == (0, 0)


def test_tasks_beyond_those_of_the_job_are_not_run() -> None:
    world = World()
    job = world.submit(chunks=4, send=[])
    world.send(job, [2], tasks="2-9")
    world.step()

    assert not world.compute.tasks
