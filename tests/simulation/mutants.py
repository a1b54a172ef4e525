"""Seeded bugs: each must be found by the simulator.

A mutant changes product code from outside, for as long as it lives; no product code knows of it.
One that survives is a hole in the simulator.
"""

from __future__ import annotations

import dataclasses
import itertools
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import numpy as np

from app_tier.worker import fitness, held_tasks, inbox, job_cache, outbox, schedule, worker
from app_tier.worker.held_tasks import Renewal, TaskLease
from autoscaler import leadership, observe, observed_ports
from autoscaler.act import start_and_launch, stop_and_terminate
from autoscaler.act.leadership_check import RoundEnded
from autoscaler.decide import (
    backlog_rule,
    capacity,
    decide,
    launch_intents,
    scaling_rules,
    unresponsive,
)
from autoscaler.decide import failures as failures_memory
from autoscaler.decide.launch_intents import Intent
from gridwell.adapters.memory import MemoryLedger, task_blocks
from gridwell.adapters.system_clock import ServiceClock
from gridwell.engine import task_failure
from gridwell.engine.blocks import Block, Blocks, TaskCounts, TaskStates
from gridwell.engine.errors import NoCapacity
from gridwell.engine.job import Job, JobState
from gridwell.engine.messages import ChunkMessage
from gridwell.fleet.model import InstanceState
from gridwell.fleet.refusal import ALL
from gridwell.kinds.grid import kind as grid_kind
from gridwell.kinds.grid import map_reader
from gridwell.kinds.grid.series_points import PointsFlaw
from tests.simulation import kernel, queue
from web_tier.collector import (
    collector,
    dead_letters,
    finisher,
    reconciler,
    task_failures,
    task_results,
)
from web_tier.jobs import cached_jobs, enqueue, sealed_cache, service, signer
from web_tier.waiting import wait_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Mutant:
    """A seeded bug."""

    name: str
    bug: str  #: in one sentence
    plant: Callable[[Patches], None]
    within: int = 100  #: seeds in which it must be found
    kind: str | None = None  #: a kind of fault without which it does not show: seeds that have it


class Patches:
    """Changes to product code that are undone together."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Replace an attribute."""
        self._stack.enter_context(mock.patch.object(owner, name, value))

    def wrap(self, owner: Any, name: str, around: Callable[..., Any]) -> None:
        """Replace a function by one that is given the original and its arguments."""
        original = getattr(owner, name)

        def wrapped(*args: Any, **options: Any) -> Any:
            return around(original, *args, **options)

        self.set(owner, name, wrapped)


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """The product with the bug in it."""
    with ExitStack() as stack:
        mutant.plant(Patches(stack))
        yield


MUTANTS: Final[dict[str, Mutant]] = {}


def _mutant(
    bug: str, *, within: int = 100, kind: str | None = None
) -> Callable[[Callable[[Patches], None]], None]:
    def register(plant: Callable[[Patches], None]) -> None:
        name = plant.__name__.strip("_").replace("_", " ")
        MUTANTS[name] = Mutant(name, bug, plant, within, kind)

    return register


# --- the ledger's algebra


@_mutant("A job is complete when as many results came as there are chunks: duplicates count.")
def _counter_instead_of_a_set(patches: Patches) -> None:
    counts: dict[str, int] = {}

    def merge(original: Any, self: Any, job: str, attempt: str, *args: Any, **kw: Any) -> Any:
        merged = original(self, job, attempt, *args, **kw)
        counts[attempt] = counts.get(attempt, 0) + len(args[0])
        return merged

    patches.wrap(MemoryLedger, "merge", merge)
    patches.set(Job, "complete", property(lambda job: _count(counts, job) >= job.tasks))


def _count(counts: dict[str, int], job: Job) -> int:
    return max(counts.get(job.attempt, 0), len(job.done))


@_mutant("A merge writes the chunks that it brings over those that are there.")
def _merge_overwrites_the_set(patches: Patches) -> None:
    def merge(original: Any, self: Any, job: str, attempt: str, *args: Any, **kw: Any) -> Any:
        merged = original(self, job, attempt, *args, **kw)
        if merged is not None:
            merged = self._jobs[job] = dataclasses.replace(merged, done=args[0])
        return merged

    patches.wrap(MemoryLedger, "merge", merge)


@_mutant("The last result's minimum is kept, not the least.")
def _the_last_minimum_wins(patches: Patches) -> None:
    from gridwell.adapters.memory import ledger  # noqa: PLC0415 - a module behind a package's name

    patches.set(ledger, "lesser", lambda kept, new: kept if new is None else new)


@_mutant("Merging and failing do not ask whether the attempt has ended already.")
def _terminal_is_overwritten(patches: Patches) -> None:
    patches.set(JobState, "terminal", property(lambda _state: False))


@_mutant(
    "The ledger merges results of an older attempt into the current one.",
    kind="message comes back",
    within=200,
)
def _old_attempts_are_merged(patches: Patches) -> None:
    def merge(original: Any, self: Any, job: str, attempt: str, *args: Any, **kw: Any) -> Any:
        stored = self._jobs.get(job)
        return original(self, job, stored.attempt if stored else attempt, *args, **kw)

    patches.wrap(MemoryLedger, "merge", merge)


# --- collector and reconciler


@_mutant("The collector deletes results before it merges them.")
def _deleted_before_merged(patches: Patches) -> None:
    patches.set(collector.Collector, "_collect", lambda *_args: None)


@_mutant("The winner is not computed once more before the job is closed.")
def _workers_are_believed(patches: Patches) -> None:
    patches.set(grid_kind, "find_flaw", lambda *_args: None)


@_mutant("Missing chunks are sent again at every round, lost or not.")
def _sent_again_always(patches: Patches) -> None:
    def step(original: Any, job: Job, *, now: float, quiet: bool) -> Any:
        found = original(job, now=now, quiet=quiet)
        sent = job.sent_at is not None
        return (
            reconciler.ReconcileStep.RESEND
            if sent and found is reconciler.ReconcileStep.NOTHING
            else found
        )

    patches.wrap(reconciler, "next_step", step)


@_mutant("A submitter that died before all chunks were sent is not noticed.", kind="busy before")
def _unsent_jobs_are_forgotten(patches: Patches) -> None:
    patches.set(reconciler, "UNSENT_SECONDS", 1e9)


@_mutant("Lost messages are never sent again.")
def _lost_messages_stay_lost(patches: Patches) -> None:
    patches.set(reconciler, "MAX_RESENDS", 0)


@_mutant("Jobs past their deadline stay open.", kind="queue swallows")
def _deadlines_are_ignored(patches: Patches) -> None:
    def step(original: Any, job: Job, *, now: float, quiet: bool) -> Any:
        found = original(job, now=now, quiet=quiet)
        return (
            reconciler.ReconcileStep.NOTHING if found is reconciler.ReconcileStep.EXPIRE else found
        )

    patches.wrap(reconciler, "next_step", step)


@_mutant(
    "A complete job whose objects are refused for good is tried on and on.",
    kind="access denied",
)
def _refused_jobs_never_end(patches: Patches) -> None:
    patches.set(finisher.Finisher, "fail_denied", lambda *_args, **_kw: None)


@_mutant("Errors of a single machine fail a job.", kind="machine fails slyly", within=300)
def _one_machine_is_believed(patches: Patches) -> None:
    patches.set(dead_letters, "_may_succeed", lambda known: known is None)


# --- the web tier


@_mutant("What the cache says of a job is true, whatever the ledger says.")
def _cache_as_truth(patches: Patches) -> None:
    def finish(original: Any, self: Any, job: Job) -> Any:
        known = dataclasses.replace(job, state=JobState.DONE, result=job.best)
        self.cache.set(cached_jobs.final_key(job.id), cached_jobs.encode_final(known), seconds=3600)
        return original(self, job)

    patches.wrap(finisher.Finisher, "finish", finish)


@_mutant("Progress lives in the cache alone: who waits never asks the ledger.")
def _waiters_ask_the_cache_alone(patches: Patches) -> None:
    patches.set(wait_list.WaitList, "due", lambda _self, _now: [])


@_mutant("Anybody may read any job.")
def _jobs_of_others_are_shown(patches: Patches) -> None:
    patches.wrap(
        service.JobService,
        "read",
        lambda original, self, job: self.ledger.read(job) or original(self, job),
    )


@_mutant("The queue's refusals in a batch are overlooked, and all counts as sent.")
def _refused_chunks_are_overlooked(patches: Patches) -> None:
    patches.wrap(
        enqueue, "send_chunks", lambda original, *args, **kw: bool(original(*args, **kw)) or True
    )
    patches.set(enqueue, "_ROUNDS", 1)


@_mutant("Reports are believed whoever sends them, with any token.", kind="forged report")
def _tokens_are_not_checked(patches: Patches) -> None:
    patches.set(signer.Signer, "is_token", lambda *_args: True)


@_mutant(
    "The winner's value is checked, and that it is the least is believed.",
    kind="true value, wrong point",
)
def _winners_are_not_sampled(patches: Patches) -> None:
    patches.set(grid_kind, "sampled_points", lambda *_args, **_kw: np.empty(0, dtype=np.int64))


@_mutant("A claim that nothing qualifies is believed.", kind="no candidate claimed", within=300)
def _claims_of_no_candidate_are_believed(patches: Patches) -> None:
    def find(original: Any, problem: Any, points: Any, *args: Any) -> Any:
        return original(problem, points, *args) if points else None

    patches.wrap(grid_kind, "find_flaw", find)


@_mutant("What lies in the cache is believed, whoever wrote it.", kind="cache is forged")
def _cached_values_are_not_verified(patches: Patches) -> None:
    patches.set(sealed_cache.SealedCache, "_is_ours", lambda *_args: True)


@_mutant("A kept map is served as it lies in the store.", kind="map altered", within=400)
def _maps_are_not_verified(patches: Patches) -> None:
    patches.set(map_reader, "verified", lambda data, *_args: data)
    patches.set(map_reader.ChunkReader, "_list", lambda _self: b"any")


@_mutant("An attempt whose answer is wrong begins again without end.", within=300)
def _refused_attempts_begin_again_without_end(patches: Patches) -> None:
    patches.set(finisher, "MAX_REFUSALS", 10**6)
    patches.set(grid_kind, "find_flaw", lambda *_args: PointsFlaw("as always"))


# --- workers


@_mutant("The worker deletes a chunk before its result is sent.")
def _deleted_before_sent(patches: Patches) -> None:
    def send(original: Any, self: outbox.Outbox) -> None:
        for held in self._held:
            if held.outcome is not None and not self._context.paused:
                self._context.ports.chunks.delete(held.receipts)
        original(self)

    patches.wrap(outbox.Outbox, "send", send)


@_mutant("A chunk's result is sent though its map is not stored.")
def _told_before_kept(patches: Patches) -> None:
    def keep(self: outbox.Outbox) -> None:
        for held in self._held:
            if held.outcome is not None and held.outcome.file is not None:
                held.outcome.file.remove()
                held.outcome = dataclasses.replace(held.outcome, file=None)

    patches.set(outbox.Outbox, "_store_files", keep)


@_mutant("Results that the queue refused are taken for sent.")
def _refused_results_are_overlooked(patches: Patches) -> None:
    def send(original: Any, self: queue.SimulatedQueue, bodies: Any, **kw: Any) -> Any:
        refused = original(self, bodies, **kw)
        return [] if self.name == "results" else refused

    patches.wrap(queue.SimulatedQueue, "send", send)


@_mutant("Every chunk counts as void, wanted or not.")
def _wanted_chunks_are_dropped(patches: Patches) -> None:
    patches.set(
        schedule.Schedule,
        "_drop_obsolete",
        lambda self, held: self._outbox.settle(held) or True,
    )


@_mutant("What is remembered of a job is believed, though a new attempt has begun.")
def _chunks_of_a_new_attempt_are_void(patches: Patches) -> None:
    def learn(original: Any, self: job_cache.JobCache, names: Any, now: float, **_kw: Any) -> None:
        original(self, [n for n in names if n not in self._known], now)

    patches.wrap(job_cache.JobCache, "learn", learn)


@_mutant("A poll that failed counts as an empty one.", kind="busy before")
def _idle_on_a_failed_poll(patches: Patches) -> None:
    def receive(original: Any, self: inbox.Inbox) -> Any:
        before = len(self._context.notes)
        batch = original(self)
        self.empty_polls += any("receiving" in note.text for note in self._context.notes[before:])
        return batch

    patches.wrap(inbox.Inbox, "receive", receive)


@_mutant("A worker never finds itself idle.")
def _workers_never_go_home(patches: Patches) -> None:
    patches.set(worker.Worker, "_idle", lambda _self: False)


@_mutant(
    "A lease is extended as long as the worker lives, whether its chunk moves or not.",
    kind="chunk hangs",
)
def _hung_chunks_are_kept(patches: Patches) -> None:
    def renewal(original: Any, self: TaskLease, now: float, _moves: Any) -> Any:
        return original(self, now, None)

    patches.wrap(held_tasks.TaskLease, "renewal", renewal)


@_mutant("A chunk may be held for ever.", kind="chunk is slow")
def _no_hard_limit(patches: Patches) -> None:
    def renewal(_original: Any, self: TaskLease, now: float, _moves: Any) -> Any:
        return Renewal.EXTEND if self.ends - now <= 30 else Renewal.KEEP

    patches.wrap(held_tasks.TaskLease, "renewal", renewal)


@_mutant("What may be ending workers is computed beside others, which are blamed with it.")
def _suspects_are_not_alone(patches: Patches) -> None:
    def turn(hand: Any, _chance: float) -> Any:
        return [held for held in hand if not held.submitted]

    patches.set(schedule, "isolate_suspects", turn)


@_mutant("Two receives make a dead letter: honest chunks are declared dead.")
def _low_max_receive_count(patches: Patches) -> None:
    patches.set(queue, "MAX_RECEIVES", 2)


# --- the fleet


@_mutant("The autoscaler acts only when the queue has just grown.", kind="chunk hangs", within=200)
def _edge_triggered(patches: Patches) -> None:
    last = {"visible": 0}

    def want(original: Any, depth: Any, policy: Any) -> Any:
        grew, last["visible"] = depth.visible > last["visible"], depth.visible
        return original(depth, policy) if grew else 0

    patches.wrap(backlog_rule, "want", want)


@_mutant("Pending instances are no capacity: each tick of a boot launches again.")
def _pending_is_not_counted(patches: Patches) -> None:
    patches.set(capacity.Capacity, "capacity", property(lambda counted: counted.running))


@_mutant("Stopping instances count as capacity.", within=300)
def _stopping_counts_as_capacity(patches: Patches) -> None:
    patches.set(
        capacity.Capacity,
        "capacity",
        property(lambda counted: counted.running + counted.booting + counted.stopping),
    )


@_mutant("Instances count for being on, and are left on, whether their worker lives or not.")
def _phantom_capacity(patches: Patches) -> None:
    patches.set(capacity, "_able", lambda *_args: True)
    patches.set(decide, "orphans", lambda *_args: ())


@_mutant("Only shares of visible chunks are demand: the last few want nobody.")
def _few_chunks_want_nobody(patches: Patches) -> None:
    patches.set(
        backlog_rule, "want", lambda depth, policy: depth.visible // policy.chunks_per_instance
    )


@_mutant("The first start or launch that fails ends the tick, always with the same candidate.")
def _give_up_at_the_first_error(patches: Patches) -> None:
    def start(original: Any, self: start_and_launch.Grower, chosen: Any, *args: Any) -> Any:
        return original(self, dataclasses.replace(chosen, instance="i-dead"), *args)

    patches.wrap(start_and_launch.Grower, "start", start)


@_mutant("A launch has a fresh token at each try.")
def _no_launch_token(patches: Patches) -> None:
    numbers = itertools.count()
    patches.wrap(
        start_and_launch,
        "launch_token",
        lambda original, *args: f"{original(*args)[:20]}{next(numbers):012d}",
    )

    def launch(original: Any, self: Any, slot: int, token: str, *args: Any) -> Any:
        return original(self, slot, f"{token[:20]}{next(numbers):012d}", *args)

    from gridwell.adapters.memory import MemoryEc2  # noqa: PLC0415

    patches.wrap(MemoryEc2, "launch", launch)


@_mutant("A launch whose reply was lost is forgotten.")
def _launches_are_forgotten(patches: Patches) -> None:
    for module in (launch_intents, capacity, start_and_launch):
        patches.set(module, "intent_of", lambda *_args, **_kw: Intent.NONE)


@_mutant("Instances of an old release are terminated whatever they do, without a second look.")
def _no_second_look(patches: Patches) -> None:
    def terminate(original: Any, self: stop_and_terminate.Shrinker, name: str, slots: Any) -> Any:
        look = self._look

        def seen(instance: str, slots: Any) -> Any:
            found = look(instance, slots)
            return found and dataclasses.replace(found, state=InstanceState.STOPPED)

        with mock.patch.object(self, "_look", seen):
            return original(self, name, slots)

    def counted(original: Any, snapshot: Any, *args: Any) -> Any:
        stale = tuple(i.id for i in snapshot.instances if i.release != snapshot.release)
        return dataclasses.replace(original(snapshot, *args), stale=stale)

    patches.wrap(stop_and_terminate.Shrinker, "terminate", terminate)
    patches.wrap(decide, "classify", counted)


@_mutant("Stopped instances are terminated as soon as the queue is empty.")
def _stopped_instances_go_at_once(patches: Patches) -> None:
    def spent(snapshot: Any, _census: Any, _policy: Any) -> tuple[str, ...]:
        return tuple(i.id for i in snapshot.instances if i.state == "stopped")

    for rule in scaling_rules.RULES.values():
        patches.set(rule, "spent", spent)


@_mutant("Stopped instances are kept for ever.")
def _stopped_instances_are_kept(patches: Patches) -> None:
    patches.set(backlog_rule, "spent", lambda *_args: ())


@_mutant("Stopping and stopped instances do not count against the cap.")
def _only_billed_instances_count(patches: Patches) -> None:
    billed = InstanceState.PENDING, InstanceState.RUNNING

    def take(original: Any, snapshot: Any, *args: Any) -> Any:
        on = tuple(i for i in snapshot.instances if i.state in billed)
        free = original(dataclasses.replace(snapshot, instances=on), *args).free
        counted = original(snapshot, *args)
        return dataclasses.replace(counted, free=free, standing=len(on))

    patches.wrap(decide, "classify", take)


@_mutant("Instances that give no sign of life are left on.")
def _orphans_are_never_stopped(patches: Patches) -> None:
    patches.set(decide, "orphans", lambda *_args: ())


@_mutant("A shutdown that hangs is never forced.")
def _stuck_stopping_is_never_forced(patches: Patches) -> None:
    def found(original: Any, *args: Any) -> Any:
        return tuple(stop for stop in original(*args) if not stop.force)

    patches.wrap(decide, "orphans", found)


@_mutant("An instance is stopped as soon as it is silent for a moment, by the first look alone.")
def _silence_is_not_waited_for(patches: Patches) -> None:
    def orphan(original: Any, *args: Any, policy: Any, **kw: Any) -> Any:
        hasty = dataclasses.replace(policy, boot_grace_seconds=1.0)
        return original(*args, policy=hasty, **kw)

    for module in (unresponsive, stop_and_terminate):
        patches.wrap(module, "orphan", orphan)


@_mutant("A lease is taken from a living holder.")
def _leases_are_taken_early(patches: Patches) -> None:
    def claim(original: Any, stored: Any, **kw: Any) -> Any:
        return original(stored and dataclasses.replace(stored, expires=0.0), **kw)

    patches.wrap(leadership, "claim", claim)


@_mutant("A lease is taken when it has ended by the standby's wall clock.", kind="clocks differ")
def _leases_end_by_the_wall_clock(patches: Patches) -> None:
    def claim(original: Any, stored: Any, *, now: float, **kw: Any) -> Any:
        kw["unchanged"] = 1e9 if stored is not None and stored.expires <= now else 0.0
        return original(stored, now=now, **kw)

    patches.wrap(leadership, "claim", claim)


@_mutant("Silence is counted from the time that the heartbeat itself says.", kind="clocks differ")
def _silence_by_the_workers_clock(patches: Patches) -> None:
    patches.set(
        observed_ports.ObservedLedger,
        "heartbeats",
        lambda self, workers: self._ledger.heartbeats(workers),
    )


@_mutant("A boot's grace is counted from EC2's LaunchTime.", kind="clocks differ")
def _grace_by_the_clock_of_ec2(patches: Patches) -> None:
    patches.set(
        observed_ports.ObservedEc2, "instances", lambda self, **only: self._ec2.instances(**only)
    )


@_mutant(
    "A launch, a boot and a pause are as old as their slot says, whoever's clock wrote it.",
    kind="clocks differ",
    within=300,
)
def _slots_by_the_clock_that_wrote_them(patches: Patches) -> None:
    ledger = observed_ports.ObservedLedger
    patches.set(ledger, "slots", lambda self, places=None: self._ledger.slots(places))
    patches.set(ledger, "write_slot", lambda self, slot, **kw: self._ledger.write_slot(slot, **kw))


@_mutant("Deadlines are judged by the machine's own wall clock.", kind="clocks differ", within=300)
def _deadlines_by_the_wall_clock(patches: Patches) -> None:
    patches.set(ServiceClock, "now", lambda self: self._clock.now())


@_mutant("A program that starts without credentials never has any.", kind="metadata throttled")
def _credentials_are_looked_for_once(patches: Patches) -> None:
    def starts(original: Any, self: Any) -> None:
        original(self)
        if self.keyless_until > self.sim.now:
            self.keyless_until = float("inf")

    patches.wrap(kernel.Process, "starts", starts)


@_mutant("The ledger takes a slot under an older fence.", kind="second autoscaler")
def _a_lease_without_fence(patches: Patches) -> None:
    def write_slot(original: Any, self: Any, slot: Any, *, seen: Any) -> bool:
        stored = self._slots.get(slot.number)
        if stored is not None and stored.epoch == seen.epoch and stored.fence > slot.fence:
            self._slots[slot.number] = slot
            return True
        return bool(original(self, slot, seen=seen))

    patches.wrap(MemoryLedger, "write_slot", write_slot)


@_mutant("Stopped instances of an old release keep the places of new ones.")
def _old_releases_keep_their_places(patches: Patches) -> None:
    patches.wrap(
        capacity,
        "classify",
        lambda original, *args: dataclasses.replace(original(*args), stale=()),
    )
    patches.set(decide, "classify", capacity.classify)


@_mutant("A cancelled job lives on with the next result.", kind="clients cancel")
def _cancel_is_overwritten(patches: Patches) -> None:
    def merge(original: Any, self: Any, job: str, attempt: str, *args: Any, **kw: Any) -> Any:
        stored = self._jobs.get(job)
        if stored is not None and stored.state is JobState.CANCELLED:
            self._jobs[job] = dataclasses.replace(stored, state=JobState.RUNNING)
        return original(self, job, attempt, *args, **kw)

    patches.wrap(MemoryLedger, "merge", merge)


@_mutant("A dead letter is sent again however often its chunk died.", kind="poison chunk")
def _dead_letters_live_for_ever(patches: Patches) -> None:
    patches.wrap(
        ChunkMessage,
        "decode",
        lambda original, text: dataclasses.replace(original(text), again=False),
    )


@_mutant("The same error on every machine is no reason to give up.", kind="chunk raises")
def _hopeless_chunks_are_tried_for_ever(patches: Patches) -> None:
    patches.set(task_failure.ChunkFailure, "hopeless", property(lambda _failure: False))
    patches.wrap(
        task_failures,
        "dead_letter_error",
        lambda original, chunk, _failure: original(chunk, None),
    )


# --- machines that are not fit


@_mutant("A machine on which everything fails goes on.", kind="machine fails", within=300)
def _machines_are_not_tested(patches: Patches) -> None:
    patches.set(fitness.Fitness, "due", property(lambda _self: False))


@_mutant("A machine that is not fit to work is started again.", kind="machine fails", within=300)
def _unfit_machines_are_started(patches: Patches) -> None:
    patches.set(capacity, "is_unfit", lambda *_args: False)
    patches.set(decide, "unfit_stopped", lambda _snapshot: ())


# --- what EC2 refuses for good


@_mutant("A machine that cannot be started keeps its place.", kind="start refused for good")
def _dead_machines_keep_their_places(patches: Patches) -> None:
    patches.set(decide, "given_up", lambda *_args, **_kw: ())


@_mutant("Machines in a full zone keep their places.", kind="zone is full")
def _machines_in_a_full_zone_keep_their_places(patches: Patches) -> None:
    patches.set(decide, "given_up", lambda *_args, **_kw: ())


@_mutant("What EC2 would not terminate is never started again.", kind="protected", within=300)
def _protected_machines_are_condemned_for_ever(patches: Patches) -> None:
    patches.set(stop_and_terminate.Shrinker, "_spare", lambda *_args: None)
    patches.set(capacity, "_is_condemned", lambda slot, one, _failures: slot.condemned == one.id)
    patches.set(capacity, "uncounted", lambda *_args, **_kw: ())


@_mutant("What EC2 neither starts nor ends counts against the cap.", kind="protected", within=300)
def _dead_machines_count_against_the_cap(patches: Patches) -> None:
    patches.set(capacity, "uncounted", lambda *_args, **_kw: ())


@_mutant("Every stopped machine is left out of the cap.")
def _stopped_machines_are_not_counted(patches: Patches) -> None:
    def uncounted(_original: Any, instances: Any, *_args: Any, **_kw: Any) -> tuple[str, ...]:
        return tuple(i.id for i in instances if i.state is InstanceState.STOPPED)

    patches.wrap(capacity, "uncounted", uncounted)


@_mutant("A machine without the tag of its slot is nobody's.", kind="tag lost")
def _tags_are_believed_alone(patches: Patches) -> None:
    for module in (observe, decide, stop_and_terminate):
        patches.set(module, "placed", lambda instances, _slots: tuple(instances))
    for module in (observe, decide):
        patches.set(module, "adopted", lambda slots, _instances: tuple(slots))


@_mutant("What is pending for ever is only asked to stop.", kind="pending for ever")
def _pending_machines_are_only_stopped(patches: Patches) -> None:
    patches.set(unresponsive, "_end", lambda *_args, **_kw: False)


@_mutant("Each tick's quota goes to the same two, refused or not.", kind="protected", within=600)
def _quotas_go_to_the_same_two(patches: Patches) -> None:
    patches.set(failures_memory.FailureMemory, "is_ready", lambda *_args: True)
    patches.set(failures_memory.FailureMemory, "last", lambda *_args: 0.0)
    patches.set(capacity, "uncounted", lambda *_args, **_kw: ())


@_mutant("Only want of capacity goes on to the next offer.", kind="offer refused")
def _only_capacity_goes_on(patches: Patches) -> None:
    patches.set(start_and_launch, "is_no", lambda error: isinstance(error, NoCapacity))
    patches.set(failures_memory.FailureMemory, "refuses_launches", lambda *_args: False)
    patches.set(failures_memory.FailureMemory, "is_doubted", lambda *_args: False)
    patches.set(start_and_launch.LaunchOfferings, "answered", lambda *_args: None)


@_mutant("Boots that come to no heartbeat are the release's alone.", kind="offer never speaks")
def _silent_boots_are_the_releases(patches: Patches) -> None:
    patches.set(failures_memory.FailureMemory, "is_mute", lambda *_args: False)
    patches.set(failures_memory.FailureMemory, "boots_failed", lambda *_args: 0)


@_mutant("A throttled start ends the round of all actions.", kind="starts are throttled")
def _a_throttled_start_ends_the_round(patches: Patches) -> None:
    def start(original: Any, self: start_and_launch.Grower, *args: Any) -> Any:
        outcome, no = original(self, *args)
        if outcome.throttled:
            raise RoundEnded(outcome)
        return outcome, no

    patches.wrap(start_and_launch.Grower, "start", start)


@_mutant("A slot that cannot be read is never written anew.", kind="row cannot be read")
def _unreadable_slots_stay(patches: Patches) -> None:
    patches.set(observe, "healed", lambda slots, *_args, **_kw: tuple(slots))


@_mutant("A slot that cannot be read is free.", kind="row cannot be read", within=300)
def _unreadable_slots_are_free(patches: Patches) -> None:
    def slots(original: Any, self: Any, places: Any = None) -> Any:
        return tuple(slot for slot in original(self, places) if not slot.unreadable)

    patches.wrap(MemoryLedger, "slots", slots)


@_mutant("One refused start is enough to give a machine up.", kind="start refused for good")
def _one_refused_start_gives_a_machine_up(patches: Patches) -> None:
    def hopeless(original: Any, *args: Any, policy: Any, **kw: Any) -> Any:
        return original(*args, policy=dataclasses.replace(policy, refused_starts=1), **kw)

    patches.wrap(capacity, "hopeless", hopeless)


@_mutant("One silent boot is enough to give up an offer's machines.", kind="offer never speaks")
def _one_silent_boot_mutes_an_offer(patches: Patches) -> None:
    patches.set(failures_memory, "OFFER_BOOTS", 1)


@_mutant("Throttled starts give machines up at once.", kind="starts are throttled")
def _throttled_starts_give_machines_up(patches: Patches) -> None:
    def seconds(_original: Any, self: Any, action: str, _now: float) -> float:
        return float("inf") if self.get(action, ALL) is not None else 0.0

    patches.wrap(failures_memory.FailureMemory, "throttled_seconds", seconds)


@_mutant("A stopped machine goes ten minutes late.", kind="protected")
def _aged_machines_go_late(patches: Patches) -> None:
    def spent(original: Any, snapshot: Any, counts: Any, policy: Any) -> Any:
        late = policy.stopped_max_age_seconds + 600.0
        return original(snapshot, counts, dataclasses.replace(policy, stopped_max_age_seconds=late))

    patches.wrap(backlog_rule, "spent", spent)


# --- jobs of many tasks


@_mutant("Of several blocks that a flush touches the last one is not written.")
def _a_lost_block_write(patches: Patches) -> None:
    def settle(original: Any, self: Any, job: str, attempt: str, blocks: Any, sets: Any) -> Any:
        before = dict(self._blocks)
        touched = original(self, job, attempt, blocks, sets)
        if len(touched) > 1:
            key = job, attempt, touched[-1].number
            self._blocks.pop(key)
            self._blocks |= {key: before[key]} if key in before else {}
        return touched

    patches.wrap(task_blocks.MemoryBlocks, "settle", settle)


@_mutant("The blocks of all attempts of a job are the same.")
def _a_block_of_another_attempt(patches: Patches) -> None:
    def settle(original: Any, self: Any, job: str, attempt: str, *args: Any) -> Any:
        first = next((key[1] for key in self._blocks if key[0] == job), attempt)
        return original(self, job, first, *args)

    patches.wrap(task_blocks.MemoryBlocks, "settle", settle)


@_mutant("Tasks that failed are added to those that are done.")
def _done_and_failed_in_one_set(patches: Patches) -> None:
    def outcome(original: Any, rows: Any) -> Any:
        done, failed = original(rows)
        return done | failed, failed

    patches.wrap(task_results, "outcome", outcome)


@_mutant("Tasks are settled before their rows are stored.")
def _settle_before_rows(patches: Patches) -> None:
    def settle(original: Any, self: Any, job: Job, joined: Any) -> Any:
        if job.blocks is not None:
            self._ledger.settle(
                job.id,
                job.attempt,
                job.blocks,
                joined.done,
                joined.failed,
                expires=job.deadline,
            )
        return original(self, job, joined)

    patches.wrap(task_results.TaskResults, "_settle", settle)


@_mutant("The size of blocks is this release's, whatever the job says.")
def _block_size_from_a_setting(patches: Patches) -> None:
    def blocks(job: Job) -> Blocks | None:
        return Blocks(job.tasks, 16) if job.block else None

    patches.set(Job, "blocks", property(blocks))


@_mutant("A block is recorded as settled as soon as it is touched.")
def _touched_blocks_are_full(patches: Patches) -> None:
    patches.set(Block, "settled", property(lambda _block: True))


@_mutant("Blocks that are settled are not recorded in the job.")
def _full_is_never_recorded(patches: Patches) -> None:
    def record(original: Any, self: Any, *args: Any, **kw: Any) -> Any:
        return original(self, *args, **(kw | {"full": frozenset()}))

    patches.wrap(MemoryLedger, "record_tasks", record)


@_mutant("Any failure of a task counts, though it succeeded in another try.")
def _a_late_success_is_no_success(patches: Patches) -> None:
    def counts(states: TaskStates) -> TaskCounts:
        done = states.done - states.failed
        return TaskCounts(total=states.tasks, done=len(done), failed=len(states.failed))

    patches.set(TaskStates, "counts", property(counts))
