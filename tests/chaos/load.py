"""Clients of the load generator, without end: every answer verified, and read again later."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from gridwell.engine.errors import GridwellError
from workload_generator.arrivals import Arrivals
from workload_generator.requests import Mix, request
from workload_generator.run import RunOutcome, ask
from workload_generator.service import RequestRefused, ServiceClient
from workload_generator.verdicts import Severity, Verdict, judge

if TYPE_CHECKING:
    from tests.chaos.timeline import Timeline

_ENDLESS: Final = 10**9
_SLACK_SECONDS: Final = 150.0  #: of one call with its tries, after the timeout
_PAUSES: Final = (0.1, 0.8)
_READ_AGAIN: Final = 0.2  #: how often a client looks at an old job of its own before a new one


class Load:
    """Jobs under way until told to stop.

    Args:
        url: of the web tier.
        seed: names the stream of requests.
        clients: how many requests are under way at a time.
        timeout: seconds that one request may take, all its tries together.
        timeline: is told of what is wrong.
    """

    def __init__(
        self, url: str, *, seed: int, clients: int, timeout: float, timeline: Timeline
    ) -> None:
        # Cubes of 32 are cut into eight chunks, which several instances share.
        self.mix = Mix(
            seed=seed, offset=0, grid_sizes=(8, 16, 32, 32), atom_counts=(20, 50, 100, 200, 2000)
        )
        self.timeout = timeout
        self.counts: Counter[str] = Counter()
        self.ended: dict[str, dict[str, Any]] = {}  #: by id, as the client was told of its end
        self._url = url
        self._timeline = timeline
        self._arrivals = Arrivals(_ENDLESS)
        self._lock = threading.Lock()
        self._asking = threading.Event()
        self._asking.set()
        self._started: dict[int, float] = {}  #: when each client began its request
        self._outcomes: queue.SimpleQueue[RunOutcome | None] = queue.SimpleQueue()
        self._unchecked: list[RunOutcome] = []
        self._clients = [
            threading.Thread(target=self._client, args=(number,), name=f"client-{number}")
            for number in range(clients)
        ]
        self._judge = threading.Thread(target=self._judge_all, name="judge")
        for thread in (*self._clients, self._judge):
            thread.daemon = True  # whoever leaves early must not wait for answers
            thread.start()

    @property
    def waiting(self) -> int:
        """How many clients still wait for an answer."""
        return sum(thread.is_alive() for thread in self._clients)

    @property
    def answered(self) -> int:
        """How many requests have their end."""
        return self.counts["answered"]

    def hanging(self) -> list[str]:
        """Clients that should have come back long ago."""
        now, limit = time.monotonic(), self.timeout + _SLACK_SECONDS
        with self._lock:
            return [
                f"client {number} waits for {now - started:.0f} s, its timeout is "
                f"{self.timeout:g} s"
                for number, started in self._started.items()
                if now - started > limit
            ]

    @property
    def is_quiet(self) -> bool:
        """Whether nothing new is asked for the moment."""
        return not self._asking.is_set()

    def be_quiet(self) -> None:
        """Ask nothing new until told to go on."""
        self._asking.clear()

    def go_on(self) -> None:
        """Ask again."""
        self._asking.set()

    def stop(self) -> None:
        """Ask nothing new any more."""
        self._arrivals.stop()
        self._asking.set()

    def finish(self) -> None:
        """Judge what could not be judged before; call it when all clients are done."""
        self._outcomes.put(None)
        self._judge.join()
        with ServiceClient(self._url) as service:
            for outcome in self._unchecked:
                self._note(judge(outcome, service))

    def _client(self, number: int) -> None:
        try:
            self._ask_on(number)
        except Exception as error:
            self._timeline.violation(f"client {number} broke down: {error!r}")
            raise

    def _ask_on(self, number: int) -> None:
        chance = random.Random(f"{self.mix.seed} {number}")
        mine: list[str] = []
        with ServiceClient(self._url) as service:
            while (place := self._arrivals.take()) is not None:
                with self._lock:
                    self._started[number] = time.monotonic()
                outcome = self._ask(service, place)
                with self._lock:
                    del self._started[number]
                    self.counts["answered"] += 1
                    if outcome.ended and outcome.job is not None:
                        self.ended[outcome.job["id"]] = outcome.job
                        mine.append(outcome.job["id"])
                self._outcomes.put(outcome)
                if mine and chance.random() < _READ_AGAIN:
                    self._read_again(service, chance.choice(mine))
                time.sleep(chance.uniform(*_PAUSES))
                self._asking.wait()

    def _ask(self, service: ServiceClient, place: int) -> RunOutcome:
        """Ask until there is an answer: who gets none asks again, and joins the same job."""
        wanted, began = request(self.mix, place), time.monotonic()
        while True:
            left = began + self.timeout - time.monotonic()
            outcome = ask(service, wanted, timeout=max(1.0, left))
            if not outcome.error or outcome.refused or outcome.error == "timeout" or left <= 0:
                return outcome
            with self._lock:
                self.counts["asked again"] += 1
            self._timeline.note(f"request {place} is asked again: {outcome.detail[:200]}")
            time.sleep(0.5)

    def _read_again(self, service: ServiceClient, job: str) -> None:
        """A job that has ended never changes: not its state, not its answer."""
        told = self.ended[job]
        try:
            now = service.read(job, wait=0).job
        except RequestRefused as error:
            self._timeline.violation(f"job {job} was {told['state']}, and now: {error}")
        except GridwellError:
            pass  # away for the moment, which is no answer
        else:
            self.counts["read again"] += 1
            if faults := changed(told, now):
                self._timeline.violation(f"job {job} changed after its end: {faults}")

    def _judge_all(self) -> None:
        with ServiceClient(self._url) as service:
            while (outcome := self._outcomes.get()) is not None:
                verdict = judge(outcome, service)
                if verdict.kind == "not_checkable":
                    self._unchecked.append(outcome)
                else:
                    self._note(verdict)

    def _note(self, verdict: Verdict) -> None:
        self.counts[verdict.worth.value] += 1
        if verdict.worth is not Severity.VERIFIED:
            outcome = verdict.outcome
            job = (outcome.job or {}).get("id")
            self._timeline.violation(
                f"request {outcome.request.number} (job {job}) is {verdict.worth.value} after "
                f"{outcome.seconds:.0f} s: {verdict.kind}: {verdict.detail}"
            )


def changed(told: dict[str, Any], now: dict[str, Any]) -> str:
    """How a job differs from what was told of it at its end; empty: not at all."""
    return "; ".join(
        f"{name} was {told.get(name)!r}, is {now.get(name)!r}"
        for name in ("state", "result", "error", "finished")
        if told.get(name) != now.get(name)
    )
