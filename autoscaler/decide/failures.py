"""Memory of failures by machine, offering and action, each with its own back-off.

The memory is a part of the fleet's view in the ledger, so a restarted autoscaler, or another one,
continues with it.  Losing it is safe: everything is tried once more.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from gridwell.fleet.model import ON, InstanceState, Offering
from gridwell.fleet.refusal import ALL, LONGEST_MESSAGE, Cause, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from autoscaler.decide.model import Policy
    from autoscaler.decide.outcome import ActionOutcome
    from gridwell.fleet.model import Instance, Slot

_FIRST_PAUSE_SECONDS: Final = 10.0
_LONGEST_PAUSE_SECONDS: Final = 600.0
_OFFER_PAUSE_SECONDS: Final = 60.0
_BOOT_PAUSE_SECONDS: Final = 900.0
_LONGEST_BOOT_PAUSE_SECONDS: Final = 6 * 3600.0
_FORGOTTEN_SECONDS: Final = 12 * 3600.0
_THROTTLED_SECONDS: Final = 60.0  #: an older throttled call says nothing of the next one
_DOUBTED_SECONDS: Final = 600.0
OFFER_BOOTS: Final = 2  #: so many boots in a row without a heartbeat are held against an offer
STAND_IN: Final = 3  #: so many rounds in a row in which an action was throttled
_DOUBTED: Final = 2  #: so many launches in a row without an answer

START, LAUNCH, STOP, FORCE, TERMINATE = "start", "launch", "stop", "force", "terminate"
BOOT, READ = "boot", "read"

#: In these states what was asked for has not happened yet.
_OPEN: Final[Mapping[str, tuple[InstanceState, ...]]] = {
    START: (InstanceState.STOPPED, InstanceState.STOPPING, InstanceState.PENDING),
    STOP: ON,
    FORCE: (InstanceState.STOPPING,),
    TERMINATE: (*ON, InstanceState.STOPPING, InstanceState.STOPPED),
}


def pause(count: int, first: float, longest: float) -> float:
    """Return the seconds until the next try after so many failures in a row, at least 1."""
    return min(longest, first * 2.0 ** min(count - 1, 30))


@dataclass(frozen=True, slots=True)
class FailureMemory:
    """Remembered refusals, by action and target."""

    known: Mapping[tuple[str, str], Refusal] = field(default_factory=dict)

    @classmethod
    def of(cls, refusals: Iterable[Refusal]) -> FailureMemory:
        """Return the memory that a view kept."""
        return cls({refusal.key: refusal for refusal in refusals})

    def get(self, action: str, target: str) -> Refusal | None:
        """Return what is remembered of an action on a target."""
        return self.known.get((action, target))

    def count(self, action: str, target: str) -> int:
        """Return how many times in a row an action on a target came to nothing."""
        refusal = self.known.get((action, target))
        return 0 if refusal is None else refusal.count

    def last(self, action: str, target: str) -> float:
        """Return when it last came to nothing; minus infinity: never."""
        refusal = self.known.get((action, target))
        return float("-inf") if refusal is None else refusal.at

    def is_refused(self, action: str, target: str) -> bool:
        """Return whether EC2 clearly refused the last time."""
        refusal = self.known.get((action, target))
        return refusal is not None and refusal.cause in (Cause.NO, Cause.FULL)

    def is_ready(self, action: str, target: str, now: float) -> bool:
        """Return True if an action may be tried on a machine, by its failures so far."""
        refusal = self.known.get((action, target))
        if refusal is None:
            return True
        return now - refusal.at >= pause(
            refusal.count, _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS
        )

    def is_throttled(self, action: str, now: float) -> bool:
        """Return whether an action has been throttled in round after round."""
        refusal = self.known.get((action, ALL))
        if refusal is None or now - refusal.at > _THROTTLED_SECONDS:
            return False
        return refusal.count >= STAND_IN

    def throttled_seconds(self, action: str, now: float) -> float:
        """Return for how long an action has been throttled in round after round."""
        refusal = self.known.get((action, ALL))
        if refusal is None or not self.is_throttled(action, now):
            return 0.0
        return now - refusal.since

    def is_in_the_way(self, policy: Policy) -> bool:
        """Return whether starts, or launches by every offer, came to nothing time and again."""
        starts = any(r.action == START and r.count > 1 for r in self.known.values())
        launches = all(self.count(LAUNCH, offer.name) > 1 for offer in policy.offers)
        return starts or launches

    # --- offers

    def refuses_launches(self, offer: Offering, now: float) -> bool:
        """Return whether EC2 refused launches by an offer, and it is too soon for another."""
        refusal = self.known.get((LAUNCH, offer.name))
        if refusal is None or refusal.cause != Cause.NO:
            return False
        return now - refusal.at < pause(refusal.count, _OFFER_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)

    def is_doubted(self, offer: Offering, now: float) -> bool:
        """Return whether launches by an offer lately had no answer, several in a row."""
        refusal = self.known.get((LAUNCH, offer.name))
        if refusal is None or refusal.cause != Cause.UNKNOWN:
            return False
        return refusal.count >= _DOUBTED and now - refusal.at < _DOUBTED_SECONDS

    def boots_failed(self, offer: Offering, release: str | None) -> int:
        """Return how many boots in a row of a release came to no heartbeat by an offer."""
        refusal = self.known.get((BOOT, offer.name))
        return 0 if refusal is None or refusal.release != (release or "") else refusal.count

    def is_mute(self, offer: Offering, release: str | None, now: float) -> bool:
        """Return whether boots by an offer fail, and it is too soon to try one again."""
        refusal = self.known.get((BOOT, offer.name))
        if refusal is None or self.boots_failed(offer, release) < OFFER_BOOTS:
            return False
        wait = pause(
            refusal.count - OFFER_BOOTS + 1, _BOOT_PAUSE_SECONDS, _LONGEST_BOOT_PAUSE_SECONDS
        )
        return now - refusal.at < wait


NONE: Final = FailureMemory()


def refusal(
    action: str, target: str, cause: str, *, at: float, code: str = "", message: str = ""
) -> Refusal:
    """Return one failure, with its message cut to what the view has room for."""
    words = message if len(message) <= LONGEST_MESSAGE else f"{message[: LONGEST_MESSAGE - 1]}…"
    return Refusal(
        action=action, target=target, cause=str(cause), code=code, message=words, since=at, at=at
    )


def noted(
    refusals: Iterable[Refusal],
    new: Iterable[Refusal],
    *,
    ended: Iterable[tuple[str, str]] = (),
) -> tuple[Refusal, ...]:
    """Return the memory with what failed now, and without what succeeded.

    Args:
        refusals: as remembered.
        new: what failed, in its order.
        ended: actions and targets that succeeded.
    """
    known = {refusal.key: refusal for refusal in refusals}
    for key in ended:
        known.pop(key, None)
    for later in new:
        before = known.get(later.key)
        known[later.key] = later if before is None else before.again(later)
    return tuple(known[key] for key in sorted(known))


def after_round(
    refusals: Iterable[Refusal], outcomes: Iterable[ActionOutcome], *, now: float
) -> tuple[Refusal, ...]:
    """Return the memory after a round of calls to EC2.

    Args:
        refusals: as remembered before.
        outcomes: of the round, in their order.
        now: the time.
    """
    memory = tuple(refusals)
    for outcome in outcomes:
        target = outcome.instance if outcome.offer is None else outcome.offer.name
        if target is None or (outcome.cause is None and outcome.problem):
            continue
        action = outcome.action.value
        if outcome.cause is None:
            cause, ended = Cause.IDLE, [(action, ALL)]
        elif outcome.cause is Cause.THROTTLED:
            cause, target, ended = outcome.cause, ALL, []
        else:
            cause, ended = outcome.cause, [(action, ALL)]
        one = refusal(action, target, cause, at=now, code=outcome.code, message=outcome.message)
        new = [one]
        if cause is Cause.IDLE and action in (START, LAUNCH):
            # A yes is no proof of a start; for a launch it ends what was refused before.
            new = []
            ended += [(action, target)] if action == LAUNCH else []
        memory = noted(memory, new, ended=ended)
    return memory


def kept(
    refusals: Iterable[Refusal], instances: Iterable[Instance], *, now: float
) -> tuple[Refusal, ...]:
    """Return what is still true of the memory, after a look at EC2.

    The failures of a machine that is gone, or in the state that was asked for, are forgotten.

    Args:
        refusals: as remembered.
        instances: all that EC2 shows.
        now: the time.
    """
    states = {instance.id: instance.state for instance in instances}

    def of_now(one: Refusal) -> Refusal:
        # Another autoscaler may have noted it by a clock that is ahead of ours.
        return one if one.at <= now else replace(one, at=now, since=min(one.since, now))

    def holds(one: Refusal) -> bool:
        if one.action == READ:
            return True
        if now - one.at > _FORGOTTEN_SECONDS:
            return False
        if one.action in _OPEN and one.target != ALL:
            return states.get(one.target) in _OPEN[one.action]
        return True

    return tuple(of_now(one) for one in refusals if holds(one))


def booted(
    before: Iterable[Slot], after: Iterable[Slot], instances: Iterable[Instance], *, now: float
) -> tuple[tuple[Refusal, ...], tuple[tuple[str, str], ...]]:
    """Return the boots of an observation: those that failed, and keys of those that succeeded.

    Args:
        before: the slots before `autoscaler.decide.boot_health.judge`.
        after: the same ones after it.
        instances: all that EC2 shows.
        now: the time.
    """
    shown = {instance.id: instance for instance in instances}
    old = {slot.number: slot for slot in before}
    failed: list[Refusal] = []
    ended: list[tuple[str, str]] = []
    for slot in after:
        was = old.get(slot.number)
        instance = shown.get(slot.instance or "")
        if was is None or was == slot or instance is None:
            continue
        offer = asked(slot, instance)
        if slot.proven_at != was.proven_at:
            ended += [(BOOT, offer.name), (START, instance.id)]
        elif slot.failed_boots > was.failed_boots:
            own = instance.reason.startswith("Client.") and "Shutdown" in instance.reason
            failed.append(
                Refusal(
                    action=BOOT,
                    target=offer.name,
                    cause=Cause.SILENT.value,
                    # That it was stopped, by us or by itself, tells nothing of why.
                    code="" if own else instance.reason,
                    message="" if own else instance.reason_message[:LONGEST_MESSAGE],
                    since=now,
                    at=now,
                    release=slot.release or "",
                )
            )
        elif slot.failures > was.failures:
            failed.append(
                refusal(
                    START,
                    instance.id,
                    Cause.FULL,
                    at=now,
                    code=instance.reason,
                    message=instance.reason_message,
                )
            )
    return tuple(failed), tuple(ended)


def asked(slot: Slot | None, instance: Instance) -> Offering:
    """Return the offer that an instance was launched by."""
    if slot is None or slot.instance != instance.id or slot.offer is None:
        return instance.offer
    return slot.offer
