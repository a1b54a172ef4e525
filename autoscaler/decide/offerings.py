"""Choose offerings to launch: those that EC2 did not refuse lately and that boot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from autoscaler.decide.failures import LAUNCH, NONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from autoscaler.decide.failures import FailureMemory
    from gridwell.fleet.model import Offering, Slot

REMEMBERED_SECONDS: Final = 600.0  #: a zone without capacity rarely has some again much sooner


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The offers to try now, the best first."""

    offers: tuple[Offering, ...]
    probe: bool = False  #: one launch at most may try them
    wait: float = 0.0  #: seconds until one may be tried, where there is none


def refused(slot: Slot, offer: Offering, *, now: float) -> Slot:
    """Return a slot that records that EC2 had no capacity for an offering."""
    kept = {other: at for other, at in slot.refusals if now - at < REMEMBERED_SECONDS}
    kept[offer] = now
    return replace(slot, refusals=tuple(sorted(kept.items(), key=lambda item: item[0].name)))


def refusals(slots: Iterable[Slot], *, now: float) -> dict[Offering, float]:
    """When each offer was last refused, of those of the last ten minutes."""
    latest: dict[Offering, float] = {}
    for slot in slots:
        for offer, at in slot.refusals:
            if now - at < REMEMBERED_SECONDS:
                latest[offer] = max(at, latest.get(offer, at))
    return latest


def choose(
    offers: Sequence[Offering],
    slots: Iterable[Slot],
    *,
    now: float,
    again_seconds: float,
    failures: FailureMemory = NONE,
    release: str | None = None,
) -> Choice:
    """Return the offerings to launch: those not refused lately, in the operator's order.

    Those whose launches had no answer, or whose boots came to no heartbeat, come last.  Where all
    were refused, the one that was refused first is tried again now and then, by one launch: a
    fleet of a single offer must not wait ten minutes for what may be there in one.

    Args:
        offers: the operator's, at least one.
        slots: as the ledger has them.
        now: the time.
        again_seconds: after so long one is tried again where nothing else is left.
        failures: what else is remembered of offers.
        release: what a launch would run.
    """
    known = refusals(slots, now=now)
    for offer in offers:
        if failures.refuses_launches(offer, now):
            known[offer] = max(failures.last(LAUNCH, offer.name), known.get(offer, 0.0))
    open_ = [offer for offer in offers if offer not in known]
    if open_:
        mute = {offer for offer in open_ if failures.is_mute(offer, release, now)}
        fresh = [offer for offer in open_ if offer not in mute]
        fresh.sort(key=lambda offer: failures.is_doubted(offer, now))
        # Without another they are tried on, at the pace of a release that does not boot.
        last = sorted(mute, key=lambda offer: (failures.last("boot", offer.name), offer.name))
        return Choice(offers=tuple(fresh or last))
    oldest = min(offers, key=lambda offer: known[offer])
    wait = known[oldest] + again_seconds - now
    if wait > 0:
        return Choice(offers=(), wait=wait)
    return Choice(offers=(oldest,), probe=True)


def others(choice: Choice, offer: Offering) -> tuple[Offering, ...]:
    """Return the offerings that surely differ in type or subnet from a machine's own."""
    if choice.probe:
        return ()
    return tuple(
        one
        for one in choice.offers
        if (one.type and one.type != offer.type) or (one.subnet and one.subnet != offer.subnet)
    )
