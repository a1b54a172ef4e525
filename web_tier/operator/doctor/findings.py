"""Findings of the diagnosis, each with its remedy."""

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
COLLECTOR_SECONDS: Final = 60.0  #: without a heartbeat, after which no collector runs
_BILLED: Final = frozenset({InstanceState.RUNNING})
_GONE: Final = frozenset({InstanceState.SHUTTING_DOWN, InstanceState.TERMINATED})
_SECRET: Final = re.compile(r"SECRET|TOKEN|PASSWORD|(^|_)KEY", re.IGNORECASE)
_PASSWORD: Final = re.compile(r"(?<=://)[^/@\s]+@")
_MASK: Final = "********"
_SHOWN_NAMES: Final = re.compile(r"(GRIDWELL|AWS)_")


class Level(enum.StrEnum):
    """Severity of a finding."""

    OK = "OK"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of one check."""

    what: str
    says: str
    level: Level = Level.OK
    do: str = ""  #: the remedy, where one is needed


def masked(environment: Mapping[str, str]) -> dict[str, str]:
    """Return our variables and AWS's, sorted, with secrets masked.

    Args:
        environment: of a program.
    """
    return {
        name: _MASK if _SECRET.search(name) and value else _PASSWORD.sub(f"{_MASK}@", value)
        for name, value in sorted(environment.items())
        if _SHOWN_NAMES.match(name)
    }


def of_view(view: FleetView | None, now: float) -> Finding:
    """Return the finding about the autoscaler, by the age of its view."""
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
    refusals = [
        f"{described(one)}, {one.count} times in {now - one.since:.0f} s" for one in lasting
    ]
    remedies = "; ".join(dict.fromkeys(remedy(one) for one in lasting))
    if view.held:
        text = "; ".join((f"{says}; held: {view.held}", *refusals))
        return Finding(what=what, says=text, level=Level.WARNING, do=remedies)
    if refusals:
        text = "; ".join((says, *refusals))
        return Finding(what=what, says=text, level=Level.WARNING, do=remedies)
    return Finding(what=what, says=says)


def of_collector(age: float | None, refused: str = "") -> Finding:
    """Return the finding about the collector, by its last heartbeat.

    Args:
        age: of the heartbeat in seconds; None if there is none.
        refused: its report of what services refuse of single jobs; empty if nothing.
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
    last = "has never been heard of" if age is None else f"was last heard of {age:.0f} s ago"
    return Finding(
        what="collector",
        says=last,
        level=Level.WARNING,
        do="no job ends without one; start it: python -m web_tier collect",
    )


def of_clock(skew: float) -> Finding:
    """Return the finding about this machine's clock, against the time in AWS's replies.

    Args:
        skew: seconds by which it is ahead.
    """
    says = f"{abs(skew):.1f} s {'ahead of' if skew >= 0 else 'behind'} the services' time"
    if abs(skew) <= SKEW_SECONDS:
        return Finding(what="clock", says=says)
    return Finding(what="clock", says=says, level=Level.WARNING, do=_SET_CLOCK)


def clock_skews(beats: Iterable[Heartbeat], *, now: float) -> dict[str, float]:
    """Return the seconds by which the clocks of workers and collectors are ahead, where known.

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
    """Return the finding about the clocks of workers and collectors, by `clock_skews`."""
    wrong = {name: skew for name, skew in skews.items() if abs(skew) > SKEW_SECONDS}
    if not wrong:
        return Finding(what="clocks", says=f"{len(skews)} known, none wrong")
    worst = sorted(wrong, key=lambda name: -abs(wrong[name]))[:_SHOWN_CLOCKS]
    listed = ", ".join(
        f"{name} {abs(wrong[name]):.1f} s {'ahead' if wrong[name] > 0 else 'behind'}"
        for name in worst
    )
    return Finding(
        what="clocks",
        says=f"{len(wrong)} of {len(skews)} wrong: {listed}",
        level=Level.WARNING,
        do=_SET_CLOCK,
    )


def of_queue(what: str, depth: Depth) -> Finding:
    """Return the finding about a queue of live messages."""
    return Finding(what=what, says=f"{depth.visible} visible, {depth.in_flight} in flight")


def of_dead(what: str, depth: Depth) -> Finding:
    """Return the finding about a queue of dead letters: each may be a job that waits."""
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
    """Return the finding about the release that a launch would run."""
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
    """Return the finding about the instances: their states and their cost."""
    present = [one for one in instances if one.state not in _GONE]
    states = Counter(one.state.value for one in present)
    running = sum(one.state in _BILLED for one in present)
    releases = sorted({one.release[:16] for one in present if one.release})
    text = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"
    if releases:
        text += f", of release {' and '.join(releases)}"
    text += f"; ${running * dollars_per_hour:.4f} an hour now"
    if view is not None:
        seconds = view.bill.seconds(view.at)
        spent = cost(seconds, dollars_per_hour=dollars_per_hour)
        text += f", ${spent:.4f} so far for {seconds:.0f} instance-seconds"
    if states[InstanceState.STOPPED]:
        text += "; those that are stopped cost their disks"
    unfit = () if view is None else view.unfit
    if unfit:
        last = max(unfit, key=lambda one: one.at)
        return Finding(
            what="instances",
            says=f"{text}; {counted(len(unfit), 'machine')} not fit to work of late",
            level=Level.WARNING,
            do=f"{described(last)}; {remedy(last)}",
        )
    untagged = [one.id for one in present if one.slot is None]
    if untagged:
        return Finding(
            what="instances",
            says=text,
            level=Level.WARNING,
            do=f"without the tag of a slot, placed by the ledger alone: {', '.join(untagged)}",
        )
    return Finding(what="instances", says=text)


def line(finding: Finding, width: int) -> str:
    """Return a finding as text; its level is a word, which needs no colours."""
    remedy = f"\n{'':{width + 11}}-> {printable(finding.do)}" if finding.do else ""
    return f"{finding.level:<9}{finding.what:<{width}}  {printable(finding.says)}{remedy}"
