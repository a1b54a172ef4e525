"""A machine that fails in a row tests itself, and takes no more work if it is not fit."""

from __future__ import annotations

import dataclasses
import errno
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_tier.executor.port import TaskOutcome
from app_tier.kinds.grid.known_task import KNOWN_ANSWER, known_problem, known_task
from app_tier.worker.fitness import DISTINCT_JOBS, PASSED_TESTS, ROW, TEST_SECONDS, Fitness
from app_tier.worker.liveness import Contact, Notifier
from app_tier.worker.loop import work
from app_tier.worker.step_report import WorkerExit
from app_tier.worker.worker import DRAIN_SECONDS
from gridwell.engine.task_failure import (
    MACHINE_FAILED,
    MAP_DENIED,
    PROBLEM_DENIED,
    PROCESS_DIED,
    RAISED,
    STUCK,
    UNSUPPORTED,
    Suspect,
)
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.names import MAP_KIND
from tests.harness.builders import NOW, a_problem
from tests.harness.oracle import true_minimum
from tests.harness.worker import WORKER, World, actions, busy

if TYPE_CHECKING:
    from collections.abc import Callable

ODD = "OSError(28, 'No space left on device')"


# --- the rule


def fit() -> Fitness:
    """A machine that has passed its first test."""
    fitness = Fitness(tests=True)
    fitness.passed()
    return fitness


def test_a_machine_must_pass_a_test_at_the_start() -> None:
    assert Fitness(tests=True).due
    assert not fit().due
    assert not fit().unfit


@pytest.mark.parametrize("code", [MACHINE_FAILED, PROCESS_DIED, RAISED, STUCK])
def test_failures_in_a_row_make_a_test_due(code: str) -> None:
    fitness = fit()
    for _ in range(ROW - 1):
        fitness.failed("a", code, ODD)
        assert not fitness.due
    fitness.failed("a", code, ODD)
    assert fitness.due


@pytest.mark.parametrize("code", [PROBLEM_DENIED, MAP_DENIED, UNSUPPORTED])
def test_what_does_not_lie_in_the_machine_is_not_held_against_it(code: str) -> None:
    fitness = fit()
    for job in range(100):
        fitness.failed(str(job), code, ODD)
    assert not fitness.due
    assert not fitness.unfit


def test_a_failed_test_makes_a_machine_unfit_and_says_why() -> None:
    fitness = fit()
    for _ in range(ROW):
        fitness.failed("a", MACHINE_FAILED, ODD)
    fitness.failed_test("the disk is full")
    assert fitness.unfit == (
        f"3 computations failed in a row ({ODD}), and its self-test failed: the disk is full"
    )


def test_rows_over_several_jobs_make_a_machine_unfit_though_its_tests_pass() -> None:
    fitness = fit()
    for number in range((PASSED_TESTS + 1) * ROW):
        assert not fitness.unfit
        if fitness.due:
            fitness.passed()
        fitness.failed(f"job {number % DISTINCT_JOBS}", MACHINE_FAILED, ODD)
    assert "9 computations of 3 or more jobs failed in a row" in fitness.unfit
    assert ODD in fitness.unfit


def test_without_tests_only_failures_of_several_jobs_make_a_machine_unfit() -> None:
    one, several = Fitness(), Fitness()
    for number in range((PASSED_TESTS + 1) * ROW):
        assert not several.unfit
        one.failed("poison", MACHINE_FAILED, ODD)
        several.failed(f"job {number}", MACHINE_FAILED, ODD)
        assert not several.due
    assert not one.unfit
    assert several.unfit == f"9 computations of 3 or more jobs failed in a row; the last: {ODD}"


def test_a_single_bad_job_never_makes_a_machine_unfit() -> None:
    fitness = fit()
    for _ in range(1000):
        fitness.failed("poison", PROCESS_DIED, "it died")
        if fitness.due:
            fitness.passed()
    assert not fitness.unfit


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=200))
def test_a_machine_that_computes_now_and_then_stays_fit(tries: list[tuple[int, bool]]) -> None:
    fitness = fit()
    for place, (job, well) in enumerate(tries):
        if well or place % ROW == ROW - 1:
            fitness.succeeded()
        else:
            fitness.failed(str(job), MACHINE_FAILED, ODD)
    assert not fitness.unfit


# --- the test


def test_the_known_answer_is_the_true_one() -> None:
    problem = known_problem()
    minimum = true_minimum(problem)
    known = known_task("minimum")
    assert minimum is not None
    assert known.recompute is not None
    assert minimum.key() == KNOWN_ANSWER == known.recompute()
    assert known.run_task(-1).spec == problem.sha


def test_a_wrong_answer_is_a_flaw() -> None:
    known = known_task("minimum")
    assert known.flaw(TaskOutcome(ticket=-1, best=KNOWN_ANSWER)) == ""
    assert "the answer is" in known.flaw(TaskOutcome(ticket=-1, best=Minimum(-1e9, 0).key()))
    assert "gave (None, None)" in known.flaw(TaskOutcome(ticket=-1))
    assert "the answer is" in known.flaw(TaskOutcome(ticket=-1, best=KNOWN_ANSWER, payload=()))
    assert "failed: odd" in known.flaw(TaskOutcome(ticket=-1, error="odd"))


# --- the worker


class Machine:
    """A worker on a machine of which every computation may fail."""

    def __init__(self, *, cores: int = 1, **habits: Any) -> None:
        self.flaw = ""  #: what a look at disk and memory finds
        self.error: str | None = None  #: of all computations
        self.test_error: str | None = None  #: of the self-test's
        self.hangs = False
        self.exit: WorkerExit | None = None
        self.notes: list[str] = []
        self.world = World(cores=cores, self_test=True, minimum_uptime=10_000, **habits)
        bench = self.world.worker._context
        bench.ports = dataclasses.replace(bench.ports, check=lambda: self.flaw)
        self.world.worker._self_test._check = lambda: self.flaw

    def run(self, steps: int, *, until: Callable[[], object] = lambda: False) -> None:
        """Take steps, each after all tasks have ended."""
        for _ in range(steps):
            self._end()
            step = self.world.step()
            self.notes += actions(step)
            self.exit = step.exit
            if self.exit is not None or until():
                return

    def _end(self) -> None:
        compute = self.world.compute
        for place, (ticket, _) in reversed(list(enumerate(list(compute.tasks.items())))):
            if self.hangs:
                continue
            compute.end(place, error=self.test_error if ticket < 0 else self.error)

    @property
    def unfit(self) -> str:
        beat = self.world.ledger.heartbeats([WORKER])[WORKER]
        assert beat.draining or not beat.unfit
        return beat.unfit


def test_no_work_is_taken_before_the_test_has_passed() -> None:
    machine = Machine(cores=2)
    machine.world.submit()
    machine.hangs = True
    machine.run(5)
    assert machine.world.named("chunks.receive") == []
    assert [task.ticket for task in machine.world.compute.tasks.values()] == [-1, -2]

    machine.hangs = False
    machine.run(20)
    assert len(machine.world.sent()) == 4


@pytest.mark.parametrize("what", ["computation", "disk", "hang"])
def test_a_machine_that_fails_its_test_at_the_start_takes_no_work(what: str) -> None:
    machine = Machine()
    machine.world.submit()
    machine.test_error = "odd" if what == "computation" else None
    machine.flaw = "the disk is full" if what == "disk" else ""
    machine.hangs = what == "hang"
    machine.run(int(TEST_SECONDS) + 10)

    assert machine.exit is WorkerExit.UNFIT
    assert machine.world.named("chunks.receive") == []
    assert {"computation": "odd", "disk": "the disk is full", "hang": "did not end in 60 s"}[
        what
    ] in machine.unfit
    assert machine.world.left() == (4, 0)


def test_failures_in_a_row_give_all_back_at_once_and_test_the_machine() -> None:
    machine = Machine(cores=2)
    machine.run(2)
    machine.world.submit(chunks=8)
    machine.error = ODD
    machine.run(50, until=lambda: "worker.self_test" in machine.notes[2:])

    assert len(machine.world.errors()) >= ROW
    assert not any(ticket > 0 for ticket in machine.world.compute.tasks)
    assert len(machine.world.worker._held) == 0


def test_a_machine_whose_test_fails_after_failures_ends_as_unfit_with_its_reports_sent() -> None:
    machine = Machine()
    machine.run(2)
    machine.world.submit(chunks=8)
    machine.error = machine.test_error = ODD
    machine.run(200)

    assert machine.exit is WorkerExit.UNFIT
    assert "its self-test failed" in machine.unfit
    assert ROW <= len(machine.world.errors()) <= ROW + 1
    assert machine.world.queue.depth().visible >= 4  # given back to others at once
    assert "worker.unfit" in machine.notes


def test_a_machine_on_which_a_bad_job_fails_stays_and_works_for_others() -> None:
    machine = Machine()
    machine.run(2)
    bad = machine.world.submit(a_problem(seed=1), chunks=1)
    good = machine.world.submit(a_problem(seed=2), chunks=4, send=())

    def end() -> None:
        for place, task in reversed(list(enumerate(list(machine.world.compute.tasks.values())))):
            error = ODD if task.spec == bad.spec else None
            machine.world.compute.end(place, error=error)

    machine._end = end  # type: ignore[method-assign]
    machine.run(400, until=lambda: len(machine.world.errors()) > 3 * ROW - 1)
    assert machine.exit is None
    machine.world.send(good, range(4))
    machine.run(100)

    assert machine.exit is None
    assert [result.job for result in machine.world.sent()] == [good.id] * 4
    assert machine.unfit == ""


def test_failures_of_several_jobs_make_a_machine_unfit_whose_test_passes() -> None:
    machine = Machine()
    machine.run(2)
    for seed in range(4):
        machine.world.submit(a_problem(seed=seed), chunks=4)
    machine.error = ODD
    machine.run(400)

    assert machine.exit is WorkerExit.UNFIT
    assert "though its self-test passes" in machine.unfit


def test_a_full_disk_is_seen_at_the_first_failure() -> None:
    machine = Machine()
    machine.run(2)
    machine.world.submit(chunks=1)
    machine.error, machine.flaw = ODD, "0 MiB are free"
    machine.run(20)

    assert machine.exit is WorkerExit.UNFIT
    assert machine.unfit == f"{ODD}; 0 MiB are free"
    assert [error.text for error in machine.world.errors()] == [ODD]


def test_a_worker_whose_report_was_proved_wrong_takes_no_more_work() -> None:
    machine = Machine()
    machine.run(2)
    machine.world.ledger.record_suspect(
        Suspect(worker=WORKER, attempts=frozenset({"a"}), job="j", why="a point is lower", at=NOW)
    )
    machine.run(200)

    assert machine.exit is WorkerExit.UNFIT
    assert machine.unfit == "a report of this worker was proved wrong: a point is lower"


def test_an_unfit_machine_waits_for_its_report() -> None:
    machine = Machine()
    machine.flaw = "the disk is full"
    machine.world.fleet.failing["beat"] = busy()
    machine.run(5)
    before = machine.exit
    assert before is None
    del machine.world.fleet.failing["beat"]
    machine.run(5)
    assert machine.exit is WorkerExit.UNFIT


def test_an_unfit_machine_does_not_wait_for_its_report_for_ever() -> None:
    machine = Machine()
    machine.flaw = "the disk is full"
    machine.world.fleet.failing["beat"] = busy()
    machine.run(int(DRAIN_SECONDS) + 5)
    assert machine.exit is WorkerExit.UNFIT


def test_a_map_that_cannot_be_read_is_reported_and_ends_nothing() -> None:
    world = World()
    world.submit(chunks=1, kind=MAP_KIND)
    world.step()
    world.compute.end()
    (kept,) = world.compute.files
    kept.read = _broken  # type: ignore[method-assign]
    world.step()
    world.step()

    (error,) = world.errors()
    assert error.code == MACHINE_FAILED
    assert "Input/output error" in error.text
    assert kept.removed


def _broken() -> bytes:
    raise OSError(errno.EIO, "Input/output error")


def test_an_error_of_the_machine_in_a_step_ends_the_worker_as_unfit() -> None:
    world = World()
    world.submit(chunks=1)
    world.step()
    world.compute.on_wait = _broken  # type: ignore[assignment]
    contact = Contact(world.clock, None)

    ended = work(world.worker, Notifier(None, world.clock), contact, unreachable_seconds=600)

    assert ended is WorkerExit.UNFIT
    assert "Input/output error" in world.ledger.heartbeats([WORKER])[WORKER].unfit
    assert world.left() == (1, 0)
