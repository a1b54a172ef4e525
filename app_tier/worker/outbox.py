"""From the compute port to the queue of results, and the leases meanwhile."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from app_tier.worker.context import receipts
from app_tier.worker.file_store import store_file
from app_tier.worker.lease import LEASE_SECONDS, Renewal
from gridwell.engine.errors import ServiceBusy, ServiceDenied
from gridwell.engine.messages import ResultMessage, SeriesMessage
from gridwell.engine.task_failure import MACHINE_FAILED, MAP_DENIED, STUCK

if TYPE_CHECKING:
    from app_tier.executor.port import TaskOutcome
    from app_tier.worker.context import WorkerContext
    from app_tier.worker.held_tasks import HeldTask
    from app_tier.worker.self_test import SelfTest
    from app_tier.worker.step_report import StepReport


class Outbox:
    """Sends results, and keeps the leases of chunks that move.

    Args:
        bench: what the worker works at.
        worker: its id.
        self_test: takes the outcomes of its own computations.
    """

    def __init__(self, bench: WorkerContext, *, worker: str, self_test: SelfTest) -> None:
        self.chunks = 0  #: computed since the start
        self.seconds = 0.0  #: spent on them
        self._bench = bench
        self._worker = worker
        self._self_test = self_test

    def collect(self, step: StepReport) -> None:
        """Take the outcomes that are there; a chunk that failed is reported and given back."""
        bench = self._bench
        for outcome in bench.ports.compute.finished():
            if self._self_test.take(outcome):
                continue
            held = bench.hand.get(outcome.ticket)
            if held is None:
                if outcome.file is not None:
                    outcome.file.remove()
                continue
            held.outcome = outcome
            if outcome.error is not None:
                step.note("chunk_failed", f"{held.name} failed: {outcome.error}")
                bench.failed(step, held, outcome.code, outcome.error)
                continue
            bench.fitness.succeeded()
            self.chunks += 1
            self.seconds += outcome.seconds
            bench.jobs.saw(held.message.job, outcome.best)

    def send(self, step: StepReport) -> None:
        """Send the results and reports that wait, then delete the chunks of the results."""
        bench = self._bench
        self._store_files(step)
        ready = [
            (held, held.outcome)
            for held in bench.hand
            if held.outcome is not None and held.outcome.file is None
        ]
        if (ready or bench.reports) and not bench.paused:
            bodies = [self._result(held, outcome) for held, outcome in ready]
            try:
                refused = set(bench.ports.results.send([*bodies, *bench.reports]))
            except ServiceBusy as error:
                bench.busy(step, "sending results", error)
                return
            bench.reports = []  # a report that was refused is only worth one try
            refused = {position for position in refused if position < len(ready)}
            if refused:
                step.note("result_refused", f"{len(refused)} results are to be sent again")
            # Send first, delete second: dying in between costs a duplicate result, which the
            # ledger merges into nothing.  The other order would lose the chunk.
            for position, (held, _) in enumerate(ready):
                if position not in refused:
                    bench.done_with(held)
        bench.delete(step)

    def renew(self, step: StepReport) -> None:
        """Extend leases of chunks that moved; give up those that did not, or took too long."""
        bench = self._bench
        now, progress = bench.now, bench.ports.compute.progress()
        due: list[tuple[HeldTask, int | None]] = []
        for held in bench.hand:
            moves = None if held.outcome is not None else progress.get(held.ticket)
            renewal = held.lease.renewal(now, moves)
            if renewal is Renewal.EXTEND:
                due.append((held, moves))
            elif renewal is Renewal.GIVE_UP:
                self._give_up(step, held, moves)
        if not due:
            return
        try:
            bench.ports.chunks.extend(receipts(held for held, _ in due), LEASE_SECONDS)
        except ServiceBusy as error:
            step.note("busy", f"extending {len(due)} leases: {error}")
        else:
            for held, moves in due:
                held.lease = held.lease.extended(now, moves)

    def _store_files(self, step: StepReport) -> None:
        """Store the files of tasks before their results are sent."""
        bench = self._bench
        for held in bench.hand:
            outcome = held.outcome
            if outcome is None or outcome.file is None or bench.paused:
                continue
            message = held.message
            try:
                digest = store_file(bench.ports.store, message, outcome.file)
            except ServiceBusy as error:
                bench.busy(step, "storing a file", error)
            except ServiceDenied as error:
                bench.denied(step, held, MAP_DENIED, "its file", error)
            except OSError as error:
                step.note("chunk_failed", f"the file of {held.name} cannot be read: {error}")
                bench.failed(step, held, MACHINE_FAILED, f"its file cannot be read: {error!r}")
            else:
                outcome.file.remove()
                held.outcome = dataclasses.replace(outcome, file=None, digest=digest)

    def _give_up(self, step: StepReport, held: HeldTask, moves: int | None) -> None:
        """Let go of a chunk whose lease ends; only one that hangs is to blame for it."""
        bench, lease = self._bench, held.lease
        said = f"it did not move or end in {bench.now - lease.since:.0f} s"
        step.note("chunk_given_up", f"{held.name} is given up: {said}")
        if moves is not None and (lease.too_long(bench.now) or moves <= lease.moves):
            bench.failed(step, held, STUCK, said)
        else:
            bench.give_back(step, [held], bench.backoff(held.receives))

    def _result(self, held: HeldTask, outcome: TaskOutcome) -> str:
        message = held.message
        if outcome.payload is not None:
            # Its first value is the least: the message has no other place for it.
            return SeriesMessage(
                job=message.job,
                attempt=message.attempt,
                chunk=message.chunk,
                plan=message.plan,
                token=message.token,
                points=outcome.payload,
                worker=self._worker,
                seconds=outcome.seconds,
            ).encode()
        return ResultMessage(
            job=message.job,
            attempt=message.attempt,
            chunk=message.chunk,
            plan=message.plan,
            token=message.token,
            best=outcome.best,
            worker=self._worker,
            seconds=outcome.seconds,
            map=outcome.digest,
        ).encode()
