"""One run: a stack, clients, blows; then quiet, and the judgement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gridwell.local_stack.faults.client import RemoteFaults
from tests.chaos import final_checks
from tests.chaos.failpoints import FAILPOINTS, Trap
from tests.chaos.load import Load
from tests.chaos.memcached_proxy import CacheRelay
from tests.chaos.nemesis import Siege
from tests.chaos.plan import draw
from tests.chaos.process_faults import PROGRAMS, blows
from tests.chaos.stack import SECONDS, Ended, Stack
from tests.chaos.targets import Arena
from tests.chaos.timeline import Timeline
from tests.chaos.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CAP: Final = 3
LEASE_SECONDS: Final = 10  #: of both queues, where AWS has 60: what is lost comes back soon
#: Beside what `gridwell local up` shortens already.  Stopped instances are soon given up, so that
#: there are launches and terminations all the time.
SETTINGS: Final = {
    "GRIDWELL_POLL_SECONDS": "1",
    "GRIDWELL_RECONCILE_SECONDS": "5",
    "GRIDWELL_STOPPED_MAX_AGE_SECONDS": "5",
}
#: Kinds of kills at any moment, with their weights.
AT_ANY_MOMENT: Final = {
    **{f"{program} killed": weight for program, weight in PROGRAMS.items()},
    **{f"{program} comes and is killed": 1.0 for program in SECONDS},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordeal:
    """What a run shall go through."""

    seed: int
    kills: int
    points: tuple[str, ...]  #: the failpoints among them
    others: Mapping[str, int]  #: blows that kill nobody, and how often each falls
    late: tuple[str, ...] = ()  #: those of them that fall in the last tenth
    pause: float = 1.0  #: mean seconds between two blows
    clients: int = 4
    timeout: float = 300.0  #: seconds that one request may take
    away: float = 8.0  #: seconds for which the region is away


@dataclass(slots=True, kw_only=True)
class Report:
    """What came of it."""

    seed: int
    struck: dict[str, int] = field(default_factory=dict)  #: blows by kind
    kills: int = 0
    seconds: float = 0.0
    requests: dict[str, int] = field(default_factory=dict)
    jobs: dict[str, int] = field(default_factory=dict)  #: in the ledger, by their end
    dead_letters: int = 0
    largest_fleet: int = 0
    looks: int = 0  #: at the fleet
    home_seconds: float = 0.0
    violations: list[str] = field(default_factory=list)
    last: list[str] = field(default_factory=list)


def run(state: Path, ordeal: Ordeal, *, chronicle: Path, aloud: bool) -> Report:
    """Go through an ordeal.

    Args:
        state: the stack's folder; an image in it is used.
        ordeal: what shall happen.
        chronicle: the file that all events go to.
        aloud: whether progress is printed.
    """
    timeline = Timeline(chronicle, aloud=aloud)
    report = Report(seed=ordeal.seed)
    relay = CacheRelay(state)
    settings = SETTINGS | {"GRIDWELL_MEMCACHED": relay.address}
    stack = Stack(state, cap=CAP, settings=settings, lease=LEASE_SECONDS, timeline=timeline)
    try:
        try:
            stack.await_up()
            relay.lead(stack.running.memcached)
            timeline.note(f"all is up at {stack.running.url}", aloud=True)
            _go_through(stack, relay, ordeal, report, timeline)
        except Ended as error:
            timeline.violation(str(error))
    finally:
        for words in stack.down():
            timeline.violation(f"left behind: {words}")
        relay.close()
        report.seconds = timeline.age
        report.violations, report.last = list(timeline.violations), timeline.last()
        timeline.close()
    return report


def _go_through(
    stack: Stack, relay: CacheRelay, ordeal: Ordeal, report: Report, timeline: Timeline
) -> None:
    watch = Watch(stack, timeline)
    load = Load(
        stack.running.url,
        seed=ordeal.seed,
        clients=ordeal.clients,
        timeout=ordeal.timeout,
        timeline=timeline,
    )
    siege = _siege(stack, load, relay, ordeal, timeline)
    try:
        siege.go(lambda: f"{load.answered} requests answered")
        load.stop()
        timeline.note("the blows are over; waiting for all answers", aloud=True)
        final_checks.await_answers(stack, load, timeline)
        final_checks.await_empty_queues(stack, timeline)
        timeline.note("all is answered; waiting for the fleet to go home", aloud=True)
        report.home_seconds = final_checks.await_home(stack, timeline)
        if not load.waiting:
            load.finish()
        report.jobs = dict(final_checks.check_ledger(stack, load, timeline))
        report.dead_letters = final_checks.check_dead_letters(stack, timeline)
        _check_blows(siege, ordeal, timeline)
    finally:
        load.stop()
        watch.close()
        report.struck, report.kills = dict(sorted(siege.struck.items())), siege.kills
        report.requests = dict(sorted(load.counts.items()))
        report.largest_fleet, report.looks = watch.largest, watch.looks


def _siege(
    stack: Stack, load: Load, relay: CacheRelay, ordeal: Ordeal, timeline: Timeline
) -> Siege:
    faults = RemoteFaults(stack.running.endpoint, access_key=stack.running.access_key)
    kills = AT_ANY_MOMENT | dict.fromkeys(ordeal.points, 1.0)
    strikes = draw(
        ordeal.seed,
        kills=kills,
        others=ordeal.others,
        late=ordeal.late,
        count=ordeal.kills,
        pause=ordeal.pause,
    )
    return Siege(
        Arena(stack=stack, load=load, relay=relay, faults=faults, timeline=timeline),
        Trap(faults, relay),
        blows(lease=LEASE_SECONDS, away=ordeal.away),
        strikes,
    )


def _check_blows(siege: Siege, ordeal: Ordeal, timeline: Timeline) -> None:
    """Each kind that was asked for has happened; the rest would prove nothing."""
    wanted = {*ordeal.others, *ordeal.points, *AT_ANY_MOMENT}
    assert set(ordeal.points) <= FAILPOINTS.keys()
    if len(wanted) <= ordeal.kills + sum(ordeal.others.values()):
        for kind in sorted(wanted - siege.struck.keys()):
            timeline.violation(f"{kind!r} never happened")
