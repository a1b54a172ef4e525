"""What EC2 refuses for good in a seed: offers, starts, stops, terminations; and tags that are lost.

These do not end with the other faults.  The second offer always works, and what fails of one
machine is no other's: so work is served all the same, only later (`Kind.delays`).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from gridwell.domain.errors import NoCapacity, ServiceBusy, ServiceDenied, Throttled
from gridwell.domain.fleet import Offer
from gridwell.domain.refusal import ALL

if TYPE_CHECKING:
    from gridwell.adapters.memory import MemoryEc2
    from gridwell.domain.errors import ServiceError
    from gridwell.domain.fleet import Instance
    from tests.simulation.kernel import Simulation

FIRST: Final = Offer(type="a")
OFFERS: Final = (FIRST, Offer(type="b"))
_OF_OFFERS: Final = frozenset({"offer refused", "offer never speaks", "zone is full"})
_ERRORS: Final[tuple[ServiceError, ...]] = (
    ServiceDenied("no such subnet", code="InvalidSubnetID.NotFound"),
    ServiceDenied("not allowed to launch this", code="UnauthorizedOperation"),
    ServiceDenied("no such type", code="InvalidParameterValue"),
    NoCapacity("the reservation is full", code="ReservationCapacityExceeded"),
    ServiceBusy("an internal error", code="InternalError"),
)


def offers_of(sim: Simulation) -> tuple[Offer, ...]:
    """The offers of a seed's policy: two where one of them may be bad."""
    return OFFERS if sim.faults.rates.keys() & _OF_OFFERS else (Offer(),)


class Refusals:
    """What is refused in one seed.

    Args:
        sim: time, chance and the seed's faults.
        ec2: what answers.
    """

    def __init__(self, sim: Simulation, ec2: MemoryEc2) -> None:
        self.unstopped: set[str] = set()  #: instances of which EC2 refused a stop
        self.kept: Counter[str] = Counter()  #: how often it refused to terminate each
        self.starts: Counter[str] = Counter()  #: how often in a row to start each
        self._sim = sim
        self._ec2 = ec2
        faults = sim.faults
        self._mute = faults.has("offer never speaks")
        self._full = False
        if faults.has("offer refused"):
            ec2.refusals["launch", FIRST.name] = sim.rng.choice(_ERRORS)
        if faults.has("zone is full"):
            sim.after(sim.rng.uniform(30.0, 500.0), self._fill)
        self._throttled = faults.has("starts are throttled")
        if self._throttled:
            ec2.refusals["start", ALL] = Throttled("too many starts", code="RequestLimitExceeded")

    def is_mute(self, instance: Instance) -> bool:
        """Whether workers never speak on machines like this one."""
        return self._mute and instance.type == FIRST.type

    def excuses(self, instance: Instance) -> bool:
        """Whether a machine is not expected to start, and may be terminated for another."""
        few = 2
        return (
            self._throttled
            or self.is_mute(instance)
            or (self._full and instance.type == FIRST.type)
            or self.starts[instance.id] > few
        )

    def is_lasting(self, instance: str) -> bool:
        """Whether an instance that is on can already not be stopped, or not be terminated."""
        known = self._ec2.refusals.keys()
        refused = {("stop", instance), ("terminate", instance)} & known
        return bool(refused) or instance in self._ec2.stuck_pending

    def spoil(self, instance: str) -> None:
        """Let an instance never start again, as its volume is lost."""
        self._ec2.refusals["start", instance] = ServiceDenied(
            f"the root volume of {instance} is gone", code="IncorrectInstanceState"
        )

    def _fill(self) -> None:
        self._sim.note("the zone of the first offer is full")
        self._full = True
        self._ec2.full |= {FIRST, Offer(type=FIRST.type, subnet="subnet-0")}
