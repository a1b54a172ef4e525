"""An hour of a fleet for its page: three waves of jobs, the last of which has just come."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from gridwell.engine.ports import Depth
from gridwell.fleet.billing import Bill
from gridwell.fleet.history import KEPT_SECONDS, History, Sample
from gridwell.fleet.model import Decision, FleetView, InstanceView

if TYPE_CHECKING:
    from collections.abc import Iterator

TICK: Final = 10
CAP: Final = 19
_WAVES: Final = {300: 180, 1800: 620, 3520: 460}  #: chunks that come, by seconds of the hour
_PER_INSTANCE: Final = 60  #: chunks in the queue that are worth one more
_PER_TICK: Final = 6  #: chunks that an instance does in a tick
_BOOT, _IDLE, _STOP = 3, 6, 3  #: ticks


def an_hour(now: float, *, first: str) -> FleetView:
    """The view at the end of the hour.

    Args:
        now: when it ends.
        first: the id of the instance that is always at work.
    """
    began = now - KEPT_SECONDS
    samples, decisions, billed = [], [], 0.0
    for tick, (sample, launched) in enumerate(_ticks(int(began))):
        samples.append(sample)
        billed += sample.running * TICK
        if launched:
            decisions.append(_decision(began + tick * TICK, sample, launched))
    last = samples[-1]
    states = [
        *["running"] * last.running,
        *["pending"] * last.pending,
        *["stopped"] * last.stopped,
    ]
    return FleetView(
        at=now,
        instances=tuple(
            InstanceView(
                id=first if slot == 0 else f"i-0{slot:x}eadbeef{slot:08x}",
                state=state,
                slot=slot,
                since=now - (1500.0 if state == "stopped" else 40.0 + 7 * slot),
                busy=2 if state == "running" else None,
                chunks=180 - 9 * slot if state == "running" else None,
            )
            for slot, state in enumerate(states)
        ),
        queue=Depth(visible=last.visible, in_flight=last.in_flight),
        cap=CAP,
        decisions=tuple(reversed(decisions)),
        bill=Bill(ended=billed),
        history=History(tuple(samples)),
    )


def _ticks(began: int) -> Iterator[tuple[Sample, int]]:
    """Each look at the fleet, and how many instances it then launched or started."""
    waiting, running, stopped, idle = 0, 1, 3, 0
    booting: list[int] = []  # ticks that are left
    stopping: list[int] = []
    for second in range(0, int(KEPT_SECONDS), TICK):
        waiting += _WAVES.get(second, 0)
        want = min(CAP, math.ceil(waiting / _PER_INSTANCE))
        more = max(0, want - running - len(booting))
        stopped += stopping.count(0)
        running += booting.count(0)
        booting = [left - 1 for left in booting if left] + [_BOOT] * more
        stopping = [left - 1 for left in stopping if left]
        stopped = max(0, stopped - more)
        idle = 0 if waiting else idle + 1
        if idle > _IDLE and running > 1:
            stopping += [_STOP] * (running - 1)
            running = 1
        yield (
            Sample(
                at=began + second,
                pending=len(booting),
                running=running,
                stopping=len(stopping),
                stopped=stopped,
                visible=max(0, waiting - 2 * running),
                in_flight=min(waiting, 2 * running),
                cap=CAP,
            ),
            more,
        )
        waiting = max(0, waiting - _PER_TICK * running)


def _decision(at: float, sample: Sample, launched: int) -> Decision:
    backlog = sample.visible + sample.in_flight
    have, booting = sample.running, sample.pending - launched
    there = f"{have} running" + (f" + {booting} booting" if booting else "")
    return Decision(
        at=at,
        reason=f"{sample.visible} chunks waiting + {sample.in_flight} in flight = {backlog}, "
        f"want {have + booting + launched} of cap {CAP}; {there}; launch {launched}",
        launch=launched,
    )
