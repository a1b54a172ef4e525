"""Which of the chunks in hand to compute now.  Pure: chance is passed in.

A chunk that ends the whole worker leaves no error behind, and takes what lies beside it along, time
and again: those too come nearer to the dead letters.  So a chunk that was received often, and of
which nobody told an error, is computed alone, and of several of them any may be the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app_tier.worker.held_tasks import HeldTask

SUSPECT_RECEIVES: Final = 3  #: more than a machine that goes home or is killed explains


def isolate_suspects(hand: Sequence[HeldTask], chance: float) -> list[HeldTask]:
    """The chunks to compute now, of those that wait.

    Args:
        hand: all chunks in hand, judged.
        chance: uniform in [0, 1).
    """
    waiting = [held for held in hand if not held.submitted]
    computing = [held for held in hand if held.submitted]
    if any(held.suspect for held in computing):
        return []
    calm = [held for held in waiting if not held.suspect]
    if calm or computing or not waiting:
        return calm
    return [waiting[int(chance * len(waiting))]]
