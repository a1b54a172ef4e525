"""What each look means, and what to do about it.  Pure."""

from __future__ import annotations

import enum
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.engine.printable import printable
from gridwell.engine.read_jobs import counted
from gridwell.fleet.billing import cost
from gridwell.fleet.model import InstanceState
from gridwell.fleet.refusal import Cause, described, remedy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gridwell.engine.ports import Depth
    from gridwell.fleet.model import FleetView, Heartbeat, Instance

SKEW_SECONDS: Final = 5.0  #: a clock that is kept by NTP is right to far less
_SHOWN_CLOCKS: Final = 5
_SET_CLOCK: Final = (
    "nothing is decided by it, but AWS refuses requests that are some minutes off: let chrony or "
    "systemd-timesyncd keep it (timedatectl set-ntp true)"
)
_SHOWN_REFUSALS: Final = 5
COLLECTOR_SECONDS: Final = 60.0  #: a silence that says that none runs
_BILLED: Final = frozenset({InstanceState.RUNNING})
_GONE: Final = frozenset({InstanceState.SHUTTING_DOWN, InstanceState.TERMINATED})
_SECRET: Final = re.compile(r"SECRET|TOKEN|PASSWORD|(^|_)KEY", re.IGNORECASE)
_PASSWORD: Final = re.compile(r"(?<=://)[^/@\s]+@")
_MASK: Final = "********"
_SHOWN_NAMES: Final = re.compile(r"(GRIDWELL|AWS)_")


class Level(enum.StrEnum):
    """How well a thing is."""

    OK = "OK"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    says: str
    level: Level = Level.OK
    do: str = ""  #: the remedy, where one is needed


def masked(environment: Mapping[str, str]) -> dict[str, str]:
    """Our variables and AWS's, in their order, with secrets masked.

    Args:
        environment: of a program.
    """
    return {
        name: _MASK if _SECRET.search(name) and value else _PASSWORD.sub(f"{_MASK}@", value)
        for name, value in sorted(environment.items())
        if _SHOWN_NAMES.match(name)
    }


def of_view(view: FleetView | None, now: float) -> Finding:
    """The autoscaler, by the age of what it wrote."""
    what, start = "autoscaler", "start it: python -m autoscaler run"
    if view is None:
        return Finding(
            what=what, says="has never looked at the fleet", level=Level.WARNING, do=start
        )
    says = f"wrote its view {max(0.0, now - view.at):.0f} s ago, cap {view.cap}"
    lasting = [one for one in view.refusals if one.count > 1 or one.cause == Cause.UNREADABLE]
    lasting = sorted(lasting, key=lambda one: -one.count)[:_SHOWN_REFUSALS]
    if view.is_stale(now):
        return Finding(what=what, says=says, level=Level.WARNING, do=start)
    if view.paused:
        return Finding(
            what=what,
            says=f"{says}, paused",
            level=Level.WARNING,
            do="nothing starts meanwhile; gridwell resume ends it",
        )
    told = [f"{described(one)}, {one.count} times in {now - one.since:.0f} s" for one in lasting]
    remedies = "; ".join(dict.fromkeys(remedy(one) for one in lasting))
    if view.held:
        words = "; ".join((f"{says}; held: {view.held}", *told))
        return Finding(what=what, says=words, level=Level.WARNING, do=remedies)
    if told:
        words = "; ".join((says, *told))
        return Finding(what=what, says=words, level=Level.WARNING, do=remedies)
    return Finding(what=what, says=says)


def of_collector(age: float | None, refused: str = "") -> Finding:
    """The collector, by its last sign of life.

    Args:
        age: of that, in seconds; None: there is none.
        refused: what it says that services refuse of single jobs.
    """
    if age is not None and age <= COLLECTOR_SECONDS:
        if refused:
            return Finding(
                what="collector",
                says=f"was heard of {age:.0f} s ago; {refused}",
                level=Level.WARNING,
                do="restore the object or allow access to it; the job fails by its deadline else",
            )
        return Finding(what="collector", says=f"was heard of {age:.0f} s ago")
    heard = "has never been heard of" if age is None else f"was last heard of {age:.0f} s ago"
    return Finding(
        what="collector",
        says=heard,
        level=Level.WARNING,
        do="no job ends without one; start it: python -m web_tier collect",
    )


def of_clock(skew: float) -> Finding:
    """This machine's wall clock against the time in AWS's replies.

    Args:
        skew: seconds by which it is ahead.
    """
    says = f"{abs(skew):.1f} s {'ahead of' if skew >= 0 else 'behind'} the services' time"
    if abs(skew) <= SKEW_SECONDS:
        return Finding(what="clock", says=says)
    return Finding(what="clock", says=says, level=Level.WARNING, do=_SET_CLOCK)


def clock_skews(beats: Iterable[Heartbeat], *, now: float) -> dict[str, float]:
    """Return by how many seconds the clocks of workers and collectors are ahead, where it is known.

    Args:
        beats: the last ones of those that are on.
        now: the services' time after they were read.
    """
    known = {}
    for beat in beats:
        name = beat.worker.rpartition("/")[2]
        if beat.skew is not None:
            known[name] = beat.skew
        elif beat.at - now > SKEW_SECONDS:  # of an older release: its time is still to come
            known[name] = beat.at - now
    return known


def of_clocks(skews: Mapping[str, float]) -> Finding:
    """The clocks of workers and collectors, by `clock_skews`."""
    wrong = {name: skew for name, skew in skews.items() if abs(skew) > SKEW_SECONDS}
    if not wrong:
        return Finding(what="clocks", says=f"{len(skews)} known, none wrong")
    worst = sorted(wrong, key=lambda name: -abs(wrong[name]))[:_SHOWN_CLOCKS]
    said = ", ".join(
        f"{name} {abs(wrong[name]):.1f} s {'ahead' if wrong[name] > 0 else 'behind'}"
        for name in worst
    )
    return Finding(
        what="clocks",
        says=f"{len(wrong)} of {len(skews)} wrong: {said}",
        level=Level.WARNING,
        do=_SET_CLOCK,
    )


def of_queue(what: str, depth: Depth) -> Finding:
    """A queue of living messages."""
    return Finding(what=what, says=f"{depth.visible} visible, {depth.in_flight} in flight")


def of_dead(what: str, depth: Depth) -> Finding:
    """A queue of dead letters: each is somebody's job that waits, or a mistake of ours."""
    dead = depth.visible + depth.in_flight
    if not dead:
        return Finding(what=what, says="none")
    return Finding(
        what=what,
        says=f"{dead}",
        level=Level.WARNING,
        do="gridwell dead-letters list says why; redrive sends them again",
    )


def of_release(release: str | None) -> Finding:
    """What a launch would run."""
    if release is not None:
        return Finding(what="release", says=f"the launch template runs {release[:16]}")
    return Finding(
        what="release",
        says="there is no launch template, so nothing can be launched",
        level=Level.WARNING,
        do="bake an image and give the stack its id: python -m ami bake",
    )


def of_instances(
    instances: Iterable[Instance], view: FleetView | None, *, dollars_per_hour: float
) -> Finding:
    """The instances by state, and what those that run cost."""
    there = [one for one in instances if one.state not in _GONE]
    states = Counter(one.state.value for one in there)
    running = sum(one.state in _BILLED for one in there)
    releases = sorted({one.release[:16] for one in there if one.release})
    said = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"
    if releases:
        said += f", of release {' and '.join(releases)}"
    said += f"; ${running * dollars_per_hour:.4f} an hour now"
    if view is not None:
        seconds = view.bill.seconds(view.at)
        spent = cost(seconds, dollars_per_hour=dollars_per_hour)
        said += f", ${spent:.4f} so far for {seconds:.0f} instance-seconds"
    if states[InstanceState.STOPPED]:
        said += "; those that are stopped cost their disks"
    unfit = () if view is None else view.unfit
    if unfit:
        last = max(unfit, key=lambda one: one.at)
        return Finding(
            what="instances",
            says=f"{said}; {counted(len(unfit), 'machine')} not fit to work of late",
            level=Level.WARNING,
            do=f"{described(last)}; {remedy(last)}",
        )
    strange = [one.id for one in there if one.slot is None]
    if strange:
        return Finding(
            what="instances",
            says=said,
            level=Level.WARNING,
            do=f"without the tag of a slot, placed by the ledger alone: {', '.join(strange)}",
        )
    return Finding(what="instances", says=said)


def line(finding: Finding, width: int) -> str:
    """A finding for people; its level is a word, as colours are not for everybody."""
    remedy = f"\n{'':{width + 11}}-> {printable(finding.do)}" if finding.do else ""
    return f"{finding.level:<9}{finding.what:<{width}}  {printable(finding.says)}{remedy}"
