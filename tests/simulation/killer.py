"""What strikes from outside, one kind at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from gridwell.engine.errors import ServiceDenied
from gridwell.engine.messages import ErrorMessage, ResultMessage
from gridwell.engine.task_failure import RAISED
from gridwell.engine.task_files import block_digests
from gridwell.fleet.model import Control, InstanceState, Slot
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.names import MAP_KIND
from tests.simulation.faults import SKEW
from tests.simulation.kernel import Process
from tests.simulation.region import BROKEN
from tests.simulation.verdicts import FORGER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.queue import SimulatedQueue
    from tests.simulation.simulated_system import World
    from tests.simulation.workers import Host

_JUNK: Final = (
    "",
    "{}",
    "null",
    "[" * 5000,
    '{"version": 4}',
    '{"version": 2, "job": "../../etc"}',
)


class Killer(Process):
    """Strikes now and then with one kind of fault."""

    def __init__(self, world: World, kind: str, mean: float) -> None:
        super().__init__(world.sim, kind)
        self._world = world
        self._mean = mean
        self.wake(self.sim.now + self.sim.rng.expovariate(1 / mean))

    def step(self) -> float:
        if not self.sim.faults.on:
            self.kill()
        elif FROM_OUTSIDE[self.name](self._world):
            self.sim.faults.injected[self.name] += 1
            self.sim.note(f"fault: {self.name}")
        return self.sim.rng.expovariate(1 / self._mean)

    def died(self) -> None:
        raise AssertionError("nothing kills it")


def _host(world: World) -> Host | None:
    hosts = [host for host in world.hosts.values() if host.up]
    return world.sim.rng.choice(hosts) if hosts else None


def _instance_dies(world: World) -> bool:
    if host := _host(world):
        host.off()
    return host is not None


def _instance_is_terminated(world: World) -> bool:
    if host := _host(world):
        host.cut()
        world.ec2.lose(host.instance)
    return host is not None


def _sigterm(world: World) -> bool:
    host = _host(world)
    if host is None or host.worker is None or not host.worker.alive:
        return False
    host.worker.worker.stop()
    return True


def _collector_killed(world: World) -> bool:
    world.sim.rng.choice(world.collectors).crash()
    return True


def _autoscaler_killed(world: World) -> bool:
    world.sim.rng.choice(world.autoscalers).crash()
    return True


def _web_killed(world: World) -> bool:
    world.sim.rng.choice(world.webs).crash()
    return True


def _cache_wiped(world: World) -> bool:
    world.cache.clear()
    return True


def _cache_holds_junk(world: World) -> bool:
    return world.cache.spoil()


def _queue(world: World) -> SimulatedQueue:
    return world.sim.rng.choice((world.chunks, world.results))


def _message_lost(world: World) -> bool:
    queue = _queue(world)
    if queue.messages:
        queue.drop(world.sim.rng.choice(list(queue.messages.values())))
        return True
    return False


def _message_comes_back(world: World) -> bool:
    queue = _queue(world)
    if queue.deleted:
        queue.put(world.sim.rng.choice(queue.deleted), world.sim.now)
        return True
    return False


def _junk_in_a_queue(world: World) -> bool:
    _queue(world).put(world.sim.rng.choice(_JUNK), world.sim.now)
    return True


def _forged_report(world: World) -> bool:
    """A report by somebody who may send results, and never received the chunk."""
    rng = world.sim.rng
    jobs = world.ledger.jobs()
    open_jobs = [job for job in jobs if not job.state.terminal] or jobs
    if not open_jobs:
        return False
    job = rng.choice(open_jobs)
    chunk = rng.randrange(job.tasks)
    token = rng.choice(
        (
            "0" * 64,
            world.signer.token(job, chunk + 1),
            world.signer.token(replace(job, attempt="f" * 16), chunk),
            world.signer.token(replace(job, id="f" * 32), chunk),
        )
    )
    whose: Any = {
        "job": job.id,
        "attempt": job.attempt,
        "chunk": chunk,
        "plan": job.plan,
        "token": token,
        "worker": FORGER,
    }
    if rng.random() < 0.5:
        for receives in (1, 2, 3):
            error = ErrorMessage(**whose, code=RAISED, text="forged", receives=receives)
            world.results.put(error.encode(), world.sim.now)
    elif grid_view(job).series is not None:
        key = Minimum(-1e6, 0).key()
        series = ResultMessage(**whose, best=key, payload=(key,), seconds=0.1)
        world.results.put(series.encode(), world.sim.now)
    else:
        best = rng.choice((None, Minimum(-1e6, 0).key()))
        kept = "d" * 64 if job.kind == MAP_KIND else None
        result = ResultMessage(**whose, best=best, seconds=0.1, digest=kept)
        world.results.put(result.encode(), world.sim.now)
    return True


def _map_altered(world: World) -> bool:
    objects = world.store.objects
    maps = [key for key in objects if key.startswith("maps/") and key.endswith(".npy")]
    if not maps:
        return False
    key = world.sim.rng.choice(maps)
    objects[key] = objects[key][:-1] + b"!"
    if world.sim.rng.random() < 0.5:
        objects[key.replace(".npy", ".sha256")] = block_digests(objects[key])
    world.judge.altered.add(key)
    return True


def _cache_is_forged(world: World) -> bool:
    return world.cache.forge(world.signer)


def _new_release(world: World) -> bool:
    world.ec2.inner.current_release = f"release-{world.sim.rng.getrandbits(32)}"
    return True


def _broken_release(world: World) -> bool:
    world.ec2.inner.current_release = f"{BROKEN}-{world.sim.rng.getrandbits(32)}"
    return True


def _paused(world: World) -> bool:
    ledger = world.ledger.inner
    ledger.write_control(Control(paused=True))
    world.sim.after(120.0, lambda: ledger.write_control(Control()))
    return True


def _clock_is_set(world: World) -> bool:
    world.sim.rng.choice(world.clocks).ahead = world.sim.rng.uniform(-SKEW, SKEW)
    return True


def _instance(world: World) -> str | None:
    there = [i.id for i in world.ec2.now() if i.state is not InstanceState.TERMINATED]
    return world.sim.rng.choice(there) if there else None


def _tag_lost(world: World) -> bool:
    if name := _instance(world):
        world.ec2.inner.untag(name)
        world.ec2.look()
    return name is not None


def _protected(world: World) -> bool:
    # What may be neither stopped nor terminated, or is pending so, keeps its place: nothing helps.
    name = _instance(world)
    if name is None or world.ec2.refusals.is_lasting(name):
        return False
    # No more than the cap are left out of it.
    there = {i.id for i in world.ec2.now() if i.state is not InstanceState.TERMINATED}
    kept = {what for action, what in world.ec2.inner.refusals if action == "terminate"}
    if len(kept & there) >= world.policy.max_instances:
        return False
    world.ec2.inner.protect(name)
    return True


def _stop_refused(world: World) -> bool:
    name = _instance(world)
    if name is None or world.ec2.refusals.is_lasting(name):
        return False
    world.ec2.inner.refusals["stop", name] = ServiceDenied(
        f"{name} may not be stopped", code="OperationNotPermitted"
    )
    return True


def _row_cannot_be_read(world: World) -> bool:
    slots = world.ledger.inner._slots
    if not slots:
        return False
    number = world.sim.rng.choice(sorted(slots))
    slots[number] = Slot(
        number=number,
        epoch=slots[number].epoch,
        fence=slots[number].fence,
        unreadable="spoilt by hand",
    )
    return True


#: What each kind does; False: there was nothing to do it to.
FROM_OUTSIDE: Final[dict[str, Callable[[World], bool]]] = {
    "instance dies": _instance_dies,
    "instance is terminated": _instance_is_terminated,
    "stray SIGTERM": _sigterm,
    "collector killed": _collector_killed,
    "autoscaler killed": _autoscaler_killed,
    "web tier killed": _web_killed,
    "cache wiped": _cache_wiped,
    "cache holds junk": _cache_holds_junk,
    "message lost": _message_lost,
    "message comes back": _message_comes_back,
    "junk in a queue": _junk_in_a_queue,
    "forged report": _forged_report,
    "map altered": _map_altered,
    "cache is forged": _cache_is_forged,
    "new release": _new_release,
    "broken release": _broken_release,
    "clock is set": _clock_is_set,
    "paused by the operator": _paused,
    "tag lost": _tag_lost,
    "row cannot be read": _row_cannot_be_read,
    "protected": _protected,
    "stop refused": _stop_refused,
}
