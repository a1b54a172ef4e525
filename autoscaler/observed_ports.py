"""The ports as one autoscaler observes them: every time is by its own monotonic clock.

EC2, each worker and each autoscaler before us have clocks of their own, which may be minutes apart,
and any of them may be set at any moment.  So no time of theirs is compared with ours.  What counts
is when this autoscaler first saw it: a heartbeat, a launch, or a moment that a slot keeps.  The
decisions, and the last look before a call, then work with times of one clock.

* A heartbeat's `at` is when it was last seen to change; at first sight it has just changed.
* An instance's `observed_at` is when its LaunchTime was first seen.
* A moment in a slot is when it was first seen, or exactly ours where we wrote it
  (`gridwell.fleet.model` says which moments a reader may take as they are).
* Times in what is written go back to what was read, so that each reader sees an unchanged moment.

Own times are shown as seconds since 1970, as view and log need them: the monotonic clock plus the
wall clock's lead at the start of the tick.  A wall clock that is set moves all of them alike.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from autoscaler.decide.failures import READ
from gridwell.engine.changes import Changes
from gridwell.fleet.model import FUTURE_TIMES, PAST_TIMES, PATIENCE_TIMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gridwell.engine.ports import Clock
    from gridwell.fleet.model import FleetView, Heartbeat, Instance, Offering, Slot
    from gridwell.fleet.ports import Ec2, FleetLedger

CLOCKS_APART: Final = 1200.0  #: seconds: two clocks, each wrong by ten minutes
LONGEST_PAUSE: Final = 900.0  #: no pause that a slot asks for is longer
_STEP: Final = 1.0  #: a wall clock that moved by more was set
_KEPT: Final = 8  #: different moments remembered of each field
_MOST: Final = 2000  #: fields and instances remembered
_TIMES: Final = (*PAST_TIMES, *PATIENCE_TIMES, *FUTURE_TIMES)
_LATER: Final = 1.0  #: another's start counts as after what is seen with it at first


class OwnClock:
    """A clock whose time of day stands still against the monotonic clock within a tick.

    Args:
        clock: the machine's.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lead = clock.now() - clock.monotonic()

    def begin(self) -> None:
        """Follow the wall clock, if it was set since the last tick."""
        lead = self._clock.now() - self._clock.monotonic()
        if abs(lead - self._lead) > _STEP:
            self._lead = lead

    def now(self) -> float:
        """Return seconds since 1970, as far as the wall clock was right when the tick began."""
        return self.shown(self._clock.monotonic())

    def monotonic(self) -> float:
        """Return the machine's monotonic clock."""
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        self._clock.sleep(seconds)

    def shown(self, monotonic: float) -> float:
        """Return a moment of the monotonic clock as seconds since 1970."""
        return monotonic + self._lead

    def moment(self, shown: float) -> float:
        """Return the moment of the monotonic clock that `shown` gave."""
        return shown - self._lead


class ObservedEc2:
    """EC2, whose instances say when we first saw their LaunchTime; see `gridwell.fleet.ports.Ec2`.

    Args:
        ec2: the port.
        clock: our own.
    """

    def __init__(self, ec2: Ec2, clock: OwnClock) -> None:
        self._ec2 = ec2
        self._clock = clock
        self._moments = _Moments()
        self._lead = clock.shown(0.0)
        self._observed: dict[str, tuple[Instance, Instance]] = {}  #: as last shown, and as ours

    def __getattr__(self, name: str) -> Any:
        """Return the port's own method."""
        return getattr(self._ec2, name)

    def instances(self, only: Sequence[str] = ()) -> tuple[Instance, ...]:
        """Return the instances as EC2 shows them, each with its `observed_at`."""
        shown = self._ec2.instances(only=only) if only else self._ec2.instances()
        now = self._clock.monotonic()
        if self._lead != (lead := self._clock.shown(0.0)):
            self._observed, self._lead = {}, lead
        pairs = {one.id: self._pair(one, now) for one in shown}
        self._observed = self._observed | pairs if only else pairs
        return tuple(own for _, own in pairs.values())

    def _pair(self, instance: Instance, now: float) -> tuple[Instance, Instance]:
        """Return an instance as it is shown and as ours; the same pair while nothing changes."""
        last = self._observed.get(instance.id)
        if last is not None and last[0] == instance:
            return last
        moment = self._moments.own(instance.id, instance.launched, lambda _: now)
        return instance, replace(instance, observed_at=self._clock.shown(moment))


class ObservedLedger:
    """The ledger, whose times are ours; see `gridwell.fleet.ports.FleetLedger`.

    Args:
        ledger: the port.
        clock: our own.
    """

    def __init__(self, ledger: FleetLedger, clock: OwnClock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._beats: Changes[str, Heartbeat] = Changes()
        self._moments = _Moments()
        self._lead = clock.shown(0.0)
        self._slots: dict[int, tuple[Slot, Slot]] = {}  #: as last read, and as ours

    def __getattr__(self, name: str) -> Any:
        """Return the port's own method."""
        return getattr(self._ledger, name)

    def heartbeats(self, workers: Iterable[str]) -> dict[str, Heartbeat]:
        """Return the last heartbeats, each `at` the time at which it was last seen to change."""
        found = self._ledger.heartbeats(workers)
        now = self._clock.monotonic()
        return {
            worker: replace(
                beat,
                at=self._clock.shown(self._beats.since(worker, beat, now)),
                run=beat.run or beat.mark,  # of an older release it is made of its `at`
            )
            for worker, beat in found.items()
        }

    def slots(self, places: Iterable[int] | None = None) -> tuple[Slot, ...]:
        """Return the slots, with all moments as we observed them."""
        if self._lead != (lead := self._clock.shown(0.0)):
            self._slots, self._lead = {}, lead
        return tuple(map(self._own_slot, self._ledger.slots(places)))

    def write_slot(self, slot: Slot, *, seen: Slot) -> bool:
        """Write a slot; moments that we only observed go back as they were read."""
        return self._ledger.write_slot(self._stored(slot), seen=seen)

    def view(self) -> FleetView | None:
        """Return the last view; what it remembers of other clocks lies no later than now.

        Rows that could not be read have been so since now: a launch that one may stand for is
        waited for by our own clock.
        """
        view = self._ledger.view()
        if view is None:
            return None
        now = self._clock.now()
        refusals = tuple(
            replace(
                one,
                at=min(one.at, now),
                since=now if one.action == READ else min(one.since, now),
            )
            for one in view.refusals
        )
        arrived = view.arrived_at
        return replace(
            view,
            refusals=refusals,
            arrived_at=None if arrived is None else min(arrived, now),
        )

    def _own_slot(self, slot: Slot) -> Slot:
        """Return a slot as ours: the same one while nothing changes in the ledger."""
        last = self._slots.get(slot.number)
        if last is not None and last[0] == slot:
            return last[1]
        own = self._observed(slot)
        self._slots[slot.number] = slot, own
        return own

    def _observed(self, slot: Slot) -> Slot:
        now = self._clock.monotonic()
        changes: dict[str, Any] = {
            field: self._own((slot.number, field), at, partial(_first_sight, field, slot, now))
            for field in _TIMES
            if (at := getattr(slot, field))
        }
        if slot.refusals:
            changes["refusals"] = tuple(
                (offer, self._own((slot.number, offer), at, partial(min, now)))
                for offer, at in slot.refusals
            )
        return replace(slot, **changes)

    def _stored(self, slot: Slot) -> Slot:
        changes: dict[str, Any] = {
            field: self._given((slot.number, field), at)
            for field in _TIMES
            if (at := getattr(slot, field))
        }
        if slot.refusals:
            changes["refusals"] = tuple(
                (offer, self._given((slot.number, offer), at)) for offer, at in slot.refusals
            )
        return replace(slot, **changes)

    def _own(
        self, key: tuple[int, str | Offering], stored: float, first: Callable[[float], float]
    ) -> float:
        """Return a stored moment as ours; at first sight it is what `first` makes of it."""
        moment = self._clock.moment
        return self._clock.shown(self._moments.own(key, stored, lambda at: first(moment(at))))

    def _given(self, key: tuple[int, str | Offering], shown: float) -> float:
        """Return what is stored for a moment of ours, as it was read or as it is written first."""
        return self._moments.stored(key, self._clock.moment(shown), new=shown)


class _Moments:
    """Times that were read or written, each with the moment of the monotonic clock."""

    def __init__(self) -> None:
        self._known: OrderedDict[object, dict[float, float]] = OrderedDict()

    def own(self, key: object, stored: float, first: Callable[[float], float]) -> float:
        """Return our moment of a stored one; `first` gives it at first sight."""
        known = self._of(key)
        if stored not in known:
            self._keep(known, stored, first(stored))
        return known[stored]

    def stored(self, key: object, own: float, *, new: float) -> float:
        """Return how one of our moments is stored; `new` if it was not stored before."""
        known = self._of(key)
        for stored, moment in known.items():
            if abs(moment - own) < 1e-3:  # noqa: PLR2004 - a float's error, far below a tick
                return stored
        self._keep(known, new, own)
        return new

    def _of(self, key: object) -> dict[float, float]:
        known = self._known.setdefault(key, {})
        self._known.move_to_end(key)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return known

    @staticmethod
    def _keep(known: dict[float, float], stored: float, own: float) -> None:
        known[stored] = own
        while len(known) > _KEPT:
            del known[next(iter(known))]


def _first_sight(field: str, slot: Slot, now: float, at: float) -> float:
    """Return which moment of our clock it is when a slot's moment is seen for the first time."""
    if field == "stopped_since":
        # A stopped machine's age is a day, and a restart of ours must not begin it again: it is
        # read from the other's clock, less what that may be wrong by.
        return min(now, at + CLOCKS_APART)
    if field == "started_at":
        return min(now, at) if _has_booted(slot) else now + _LATER
    if field in PATIENCE_TIMES:
        return now
    if field in FUTURE_TIMES:
        return min(at, now + LONGEST_PAUSE)
    return min(now, at)


def _has_booted(slot: Slot) -> bool:
    """Return whether what became of a slot's last start is known, so that nothing waits for it."""
    return slot.instance is not None and not slot.unproven
