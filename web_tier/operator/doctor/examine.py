"""Diagnosis of all services; a check that fails is a finding and does not stop the others."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from gridwell.engine.errors import GridwellError, ServiceBusy
from gridwell.fleet.model import InstanceState
from web_tier.collector.heartbeat import collector_age, collector_name
from web_tier.operator.doctor.findings import (
    Finding,
    Level,
    clock_skews,
    of_clock,
    of_clocks,
    of_collector,
    of_dead,
    of_instances,
    of_queue,
    of_release,
    of_view,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gridwell.engine.ports import Cache, Clock, ObjectStore, Queue
    from gridwell.fleet.model import FleetView
    from gridwell.fleet.ports import Ec2, FleetLedger

_T = TypeVar("_T")
_SECONDS: Final = 10.0
_PROBE: Final = "doctor"
_NO_OBJECT: Final = "problems/doctor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Diagnosis of a fleet and the services that it uses."""

    ledger: FleetLedger
    store: ObjectStore
    cache: Cache
    queues: Mapping[str, Queue]  #: by kind: chunks, results, dead_chunks, dead_results
    ec2: Ec2
    clock: Clock
    fleet: str  #: its name
    account: Callable[[], str]  #: returns the AWS account
    url: str  #: of the web tier
    dollars_per_hour: float  #: what an instance costs
    #: Seconds by which this machine's clock is ahead of the services' time; None: unknown.
    skew: Callable[[], float | None] = lambda: None

    def findings(self) -> Iterator[Finding]:
        """Yield the findings, each as soon as its check is done."""
        yield _asked("account", self.account, lambda name: Finding(what="account", says=name))
        if (skew := self.skew()) is not None:
            yield of_clock(skew)
        yield _asked("web tier", self._readyz, self._of_web)
        yield _asked("store", lambda: self.store.get(_NO_OBJECT), _answers("store"))
        yield _asked("memcached", self._ask_cache, _answers("memcached"), Level.WARNING)
        view: list[FleetView | None] = []
        yield _asked("ledger", partial(self._keep_view, view), _answers("ledger"))
        for kind, queue in self.queues.items():
            judge = of_dead if kind.startswith("dead") else of_queue
            name = kind.replace("_", " ")
            yield _asked(name, queue.depth, partial(judge, name))
        if view:
            yield of_view(view[0], self.clock.now())
            yield _asked("collector", self._collector, lambda beat: of_collector(*beat))
        yield _asked("release", self.ec2.release, of_release)
        yield from self._clocks()
        seen = view[0] if view else None
        yield _asked(
            "instances",
            self.ec2.instances,
            lambda found: of_instances(found, seen, dollars_per_hour=self.dollars_per_hour),
        )

    def _keep_view(self, view: list[FleetView | None]) -> None:
        try:
            view.append(self.ledger.view())
        except (KeyError, TypeError, ValueError) as error:
            raise GridwellError(f"the fleet's view cannot be read: {error!r}") from error

    def _collector(self) -> tuple[float | None, str]:
        """Return the age of the collector's last heartbeat, and its report of refusals."""
        name = collector_name(self.fleet)
        age = collector_age(self.ledger, name, self.clock.now())
        beat = self.ledger.heartbeats([name]).get(name)
        return age, "" if beat is None else beat.refuses

    def _clocks(self) -> Iterator[Finding]:
        """Check the clocks of running machines and of the collectors by their heartbeats."""
        on = (InstanceState.PENDING, InstanceState.RUNNING)
        try:
            arns = [one.arn for one in self.ec2.instances() if one.state in on]
            beats = self.ledger.heartbeats([*arns, collector_name(self.fleet)])
        except GridwellError:
            return  # that EC2 or the ledger does not answer is a finding of its own
        if skews := clock_skews(beats.values(), now=self.clock.now()):
            yield of_clocks(skews)

    def _ask_cache(self) -> None:
        probe = f"{self.fleet}:{_PROBE}"
        self.cache.set(probe, b"1", seconds=60)
        if not self.cache.get_many([probe]):
            raise ServiceBusy("it keeps nothing: answers come later, and none is wrong; start it")

    def _readyz(self) -> dict[str, Any]:
        # Without a proxy: the tool calls exactly the given address.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}/readyz", timeout=_SECONDS) as reply:
                content: dict[str, Any] = json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                raise ServiceBusy(
                    f"{self.url}/readyz answers {error.code}: {_detail(error)}"
                ) from error
        except (OSError, ValueError) as error:
            raise ServiceBusy(
                f"{self.url} does not answer ({error}); start it, or give --url"
            ) from error
        return content

    def _of_web(self, content: Mapping[str, Any]) -> Finding:
        says = f"{self.url} is {content.get('status')}"
        if content.get("version"):
            says += f", version {content['version']}"
        notes = content.get("notes") or []
        if notes:
            return Finding(what="web tier", says=f"{says}; {'; '.join(notes)}", level=Level.WARNING)
        return Finding(what="web tier", says=says)


def _asked(
    what: str, ask: Callable[[], _T], judge: Callable[[_T], Finding], away: Level = Level.FAILED
) -> Finding:
    """Return the finding about a service's response, or about its error.

    Args:
        what: name of the service.
        ask: calls the service.
        judge: makes the finding of its response.
        away: severity if the service raises an error.
    """
    try:
        return judge(ask())
    except GridwellError as error:
        return Finding(what=what, says=f"{type(error).__name__}: {error}", level=away)


def _answers(what: str) -> Callable[[object], Finding]:
    return lambda _: Finding(what=what, says="answers")


def _detail(error: urllib.error.HTTPError) -> str:
    text = error.read(2000).decode(errors="replace")
    try:
        return str(json.loads(text)["detail"])
    except (KeyError, TypeError, ValueError):
        return text[:200]
