"""The fleet as its page shows it.  Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.fleet.billing import cost
from gridwell.fleet.model import InstanceState
from gridwell.fleet.refusal import described, remedy
from web_tier.pages.formatting import ago, duration, iso, money

if TYPE_CHECKING:
    from gridwell.fleet.model import Decision, FleetView, InstanceView
    from gridwell.fleet.refusal import Refusal

STALE_SECONDS: Final = 30.0  #: the autoscaler writes every ten seconds at least
_SHOWN_DECISIONS: Final = 50
_ON: Final = (InstanceState.PENDING, InstanceState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A number with its name."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRow:
    """An instance's line."""

    slot: str
    id: str
    state: str
    since: str
    busy: str
    chunks: str
    on: bool
    note: str = ""  #: what is wrong with it


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """A decision's line."""

    at: str
    at_words: str
    did: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalRow:
    """A refusal's line."""

    since: str
    since_words: str
    count: str
    what: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPage:
    """The page."""

    stale: str | None
    held: str  #: why instances that are wanted cannot be had; empty: none are missing
    refusals: tuple[RefusalRow, ...]
    tiles: tuple[Tile, ...]
    instances: tuple[InstanceRow, ...]
    decisions: tuple[DecisionRow, ...]
    killable: bool


def fleet_page(
    view: FleetView | None, *, now: float, killable: bool, dollars_per_hour: float = 0.0
) -> FleetPage:
    """The fleet in words; before the autoscaler's first look nothing is known of it.

    Args:
        view: as the autoscaler last wrote it.
        now: the time.
        killable: whether each instance that is on gets a button that kills it.
        dollars_per_hour: what an instance costs.
    """
    if view is None:
        words = "The autoscaler has not looked yet: nothing is known of the fleet."
        return FleetPage(
            stale=words,
            held="",
            refusals=(),
            tiles=(),
            instances=(),
            decisions=(),
            killable=False,
        )
    states = Counter(instance.state for instance in view.instances)
    tiles = [
        Tile(name="Running", value=str(states[InstanceState.RUNNING.value])),
        Tile(name="Booting", value=str(states[InstanceState.PENDING.value])),
        Tile(name="Stopping", value=str(states[InstanceState.STOPPING.value])),
        Tile(name="Stopped", value=str(states[InstanceState.STOPPED.value])),
        Tile(name="Cap", value=f"{view.cap}{' (paused)' if view.paused else ''}"),
        Tile(name="Chunks waiting", value=f"{view.queue.visible:,}"),
        Tile(name="Chunks in flight", value=f"{view.queue.in_flight:,}"),
        Tile(name="Cost so far", value=_cost(view, dollars_per_hour)),
    ]
    unfit = frozenset(one.target for one in view.unfit)
    age = now - view.at
    stale = None
    if age < -STALE_SECONDS:
        stale = (
            f"The autoscaler's last look is dated {duration(-age)} in the future: a clock is "
            "wrong, and what follows may be old."
        )
    elif age > STALE_SECONDS:
        stale = f"The autoscaler has not been heard of for {duration(age)}: what follows is old."
    return FleetPage(
        stale=stale,
        held=view.held,
        refusals=tuple(_refusal(one, now) for one in view.refusals),
        tiles=tuple(tiles),
        instances=tuple(_row(instance, now, unfit) for instance in view.instances),
        decisions=tuple(_decision(one, now) for one in view.decisions[:_SHOWN_DECISIONS]),
        killable=killable,
    )


def _cost(view: FleetView, dollars_per_hour: float) -> str:
    billed = view.bill.seconds(view.at)
    dollars = cost(billed, dollars_per_hour=dollars_per_hour)
    words = money(dollars) if dollars else "$0"
    return f"{words} for {duration(billed)}" if billed else words


def _row(instance: InstanceView, now: float, unfit: frozenset[str]) -> InstanceRow:
    return InstanceRow(
        slot="" if instance.slot is None else f"{instance.slot:02}",
        id=instance.id,
        state=instance.state,
        note=" not fit to work" if instance.id in unfit else "",
        since="" if instance.since is None else ago(instance.since, now),
        busy="" if instance.busy is None else str(instance.busy),
        chunks="" if instance.chunks is None else f"{instance.chunks:,}",
        on=instance.state in _ON,
    )


def _refusal(refusal: Refusal, now: float) -> RefusalRow:
    return RefusalRow(
        since=iso(refusal.since),
        since_words=ago(refusal.since, now),
        count=f"{refusal.count:,}",
        what=described(refusal),
        remedy=remedy(refusal),
    )


def _decision(decision: Decision, now: float) -> DecisionRow:
    counts = {
        "start": decision.start,
        "launch": decision.launch,
        "stop": decision.stop,
        "terminate": decision.terminate,
    }
    did = ", ".join(f"{word} {count}" for word, count in counts.items() if count)
    return DecisionRow(
        at=iso(decision.at),
        at_words=ago(decision.at, now),
        did=did or "nothing succeeded",
        reason=decision.reason,
    )
