"""Signing and verifying, with the secret that all processes of the web tier share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.access.secret import Keys

if TYPE_CHECKING:
    from gridwell.engine.job import Job
    from gridwell.engine.ports import JobLedger

_CHUNK: Final = "chunk of an attempt"
_ATTEMPT: Final = "next attempt"
_SAMPLE: Final = "sampled points"
_DOUBLED: Final = "chunks that two workers compute"
_STACK: Final = "name of the stack"
_CACHE: Final = "cached values"
_ATTEMPT_DIGITS: Final = 16
_STACK_DIGITS: Final = 16


class Signer:
    """Signs with the ledger's secret, which is read at first use.  Safe to share between threads.

    Each method may raise what reading the ledger raises, until the secret was read once.

    Args:
        ledger: keeps the secret.
    """

    def __init__(self, ledger: JobLedger) -> None:
        self._ledger = ledger
        self._keys: Keys | None = None
        self._stack = ""

    def load(self) -> None:
        """Read the secret, if that was not done yet."""
        self._loaded()

    def token(self, job: Job, chunk: int, tasks: str | None = None) -> str:
        """Return the token of one chunk of a job's attempt, in hex.

        Its message carries it, and each report of the chunk must return it: so only a worker that
        received the chunk can report on it.

        Args:
            job: the job.
            chunk: the chunk's number.
            tasks: the run of a chunk of several tasks.
        """
        return self._loaded().mac(_CHUNK, *_task(job, chunk, tasks)).hex()

    def is_token(self, token: str, job: Job, chunk: int, tasks: str | None = None) -> bool:
        """Return whether a token is that of a chunk of the job's attempt."""
        try:
            code = bytes.fromhex(token)
        except ValueError:
            return False
        return self._loaded().verifies(code, _CHUNK, *_task(job, chunk, tasks))

    def is_doubled(self, job: Job, chunk: int, share: float) -> bool:
        """Return whether two workers compute a chunk, where a share of all chunks is.

        Workers cannot tell which: it is drawn with the secret.
        """
        if share <= 0:
            return False
        code = self._loaded().mac(_DOUBLED, *_task(job, chunk))
        return int.from_bytes(code[:7], "big") < share * 2**56

    def next_attempt(self, job: Job) -> str:
        """Return the attempt that follows a refused one: the same for every process."""
        return self._loaded().mac(_ATTEMPT, job.id, job.attempt).hex()[:_ATTEMPT_DIGITS]

    def seed(self, job: Job, *reported: str) -> int:
        """Return the seed of the points at which a reported answer is checked.

        No worker can compute it, and it depends on the report: so a report cannot be made to fit
        the points.  It is the same for every process, which therefore decide alike.

        Args:
            job: the job.
            reported: the keys of the reported points.
        """
        return int.from_bytes(self._loaded().mac(_SAMPLE, job.id, job.attempt, *reported), "big")

    def cache_key(self, key: str) -> str:
        """Return a cache key with this stack's name before it: no other stack has the same one.

        The name is made of the secret, which lies in the stack's ledger: so a ledger that was
        emptied has another one.
        """
        if not self._stack:
            self._stack = self._loaded().mac(_STACK).hex()[:_STACK_DIGITS]
        return f"{self._stack}:{key}"

    def cache_code(self, key: str, value: bytes) -> bytes:
        """Return the code of a cached value under its whole key."""
        return self._loaded().mac(_CACHE, key, value)

    def is_cache_code(self, code: bytes, key: str, value: bytes) -> bool:
        """Return whether a cached value was written under this key, by this stack."""
        return self._loaded().verifies(code, _CACHE, key, value)

    def _loaded(self) -> Keys:
        if self._keys is None:
            self._keys = Keys(self._ledger.secret())
        return self._keys


def _task(job: Job, chunk: int, tasks: str | None = None) -> tuple[str, ...]:
    words = job.id, job.attempt, str(chunk), job.plan, job.spec, job.kind
    return words if tasks is None else (*words, tasks)
