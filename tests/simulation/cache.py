"""memcached in virtual time: values that are gone, or are somebody else's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gridwell.adapters.memory import MemoryCache
from gridwell.engine.job import JobState
from gridwell.kinds.grid.job_view import register_of
from gridwell.kinds.grid.minimum import Minimum
from tests.simulation.invariants import I10_CACHE
from tests.simulation.kernel import MachineClock
from web_tier.jobs.cached_jobs import decode_final, encode_final, final_key
from web_tier.jobs.sealed_cache import CODE_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.simulation.kernel import Simulation
    from tests.simulation.ledger import WatchedLedger
    from web_tier.jobs.signer import Signer

_JUNK: Final = (b"", b"\x80\x04", b"{}", b'{"version":1}', b'{"version":999,"id":"x"}', b"[" * 999)


class SimulatedCache(MemoryCache):
    """memcached, whose values are gone now and then.

    Args:
        sim: time and chance.
        ledger: the truth.
        keeps: whether it keeps anything at all.
    """

    def __init__(self, sim: Simulation, ledger: WatchedLedger, *, keeps: bool = True) -> None:
        super().__init__(MachineClock(sim))
        self._sim = sim
        self._ledger = ledger
        self._keeps = keeps

    def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """See `gridwell.engine.ports.Cache`."""
        return {} if self._sim.faults.strike("cache forgets") else super().get_many(keys)

    def set(self, key: str, value: bytes, *, seconds: int) -> None:
        """See `gridwell.engine.ports.Cache`."""
        _stack, what, name = key.split(":")
        if what == "final":
            self._judge(name, value[CODE_BYTES:])
        if self._keeps and not self._sim.faults.strike("cache forgets"):
            super().set(key, value, seconds=seconds)

    def spoil(self) -> bool:
        """Put junk, or another key's value, under some key; False: there is none."""
        keys = list(self._values)
        if not keys:
            return False
        rng = self._sim.rng
        values = [*_JUNK, self._values[rng.choice(keys)][0]]
        self._values[rng.choice(keys)] = rng.choice(values), self._sim.now + rng.uniform(1.0, 600.0)
        return True

    def forge(self, signer: Signer) -> bool:
        """Put a wrong end of some job under its key, as whoever reaches memcached may."""
        jobs = self._ledger.jobs()
        if not jobs:
            return False
        rng = self._sim.rng
        job = rng.choice(jobs)
        forged = replace(
            job,
            state=JobState.DONE,
            done=frozenset(range(job.tasks)),
            result=register_of(Minimum(-1e6, 0)),
            error=None,
            finished=self._sim.now,
            expires=self._sim.now + 1e6,
        )
        key = signer.cache_key(final_key(job.id))
        value = bytes(CODE_BYTES) + encode_final(forged)
        self._values[key] = value, self._sim.now + rng.uniform(1.0, 600.0)
        return True

    def _judge(self, job: str, value: bytes) -> None:
        said, stored = decode_final(value, job), self._ledger.inner.read(job)
        true = said is not None and said.attempt in self._ledger.ended_at
        if true and said is not None and stored is not None and stored.attempt == said.attempt:
            true = (stored.state, stored.result) == (said.state, said.result)
        self._sim.require(I10_CACHE, true, f"the cache is told that {job} has ended: {value!r}")
