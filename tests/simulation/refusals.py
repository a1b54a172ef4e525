"""What EC2 refuses for good in a seed: offers, starts, stops, terminations; and tags that are lost.

These do not end with the other faults.  The second offer always works, and what fails of one
machine is no other's: so work is served all the same, only later (`Kind.delays`).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import NoCapacity, ServiceBusy, ServiceDenied, Throttled
from gridwell.fleet.model import Offering
from gridwell.fleet.refusal import ALL
from tests.simulation.faults import FULL_SECONDS, REFUSED_STARTS, SILENT_BOOTS

if TYPE_CHECKING:
    from gridwell.adapters.memory import MemoryEc2
    from gridwell.engine.errors import ServiceError
    from gridwell.fleet.model import Instance
    from tests.simulation.kernel import Simulation

FIRST: Final = Offering(type="a")
OFFERS: Final = (FIRST, Offering(type="b"))
_OF_OFFERS: Final = frozenset({"offer refused", "offer never speaks", "zone is full"})
_ERRORS: Final[tuple[ServiceError, ...]] = (
    ServiceDenied("no such subnet", code="InvalidSubnetID.NotFound"),
    ServiceDenied("not allowed to launch this", code="UnauthorizedOperation"),
    ServiceDenied("no such type", code="InvalidParameterValue"),
    NoCapacity("the reservation is full", code="ReservationCapacityExceeded"),
    ServiceBusy("an internal error", code="InternalError"),
)


def offers_of(sim: Simulation) -> tuple[Offering, ...]:
    """The offers of a seed's policy: two where one of them may be bad."""
    return OFFERS if sim.faults.rates.keys() & _OF_OFFERS else (Offering(),)


class Refusals:
    """What is refused in one seed.

    Args:
        sim: time, chance and the seed's faults.
        ec2: what answers.
    """

    def __init__(self, sim: Simulation, ec2: MemoryEc2) -> None:
        self.unstopped: set[str] = set()  #: instances of which EC2 refused a stop
        self.kept: Counter[str] = Counter()  #: how often it refused to terminate each
        #: Starts of each instance that came to nothing, since its last heartbeat.
        self.starts: Counter[str] = Counter()
        self._sim = sim
        self._ec2 = ec2
        faults = sim.faults
        self._mute = faults.has("offer never speaks")
        self._offers = offers_of(sim)
        #: Boots in a row that came to no heartbeat, by type and release.
        self._silent: Counter[tuple[str, str | None]] = Counter()
        self._throttled_since = float("inf")  #: when a start was first throttled
        if faults.has("offer refused"):
            ec2.refusals["launch", FIRST.name] = sim.rng.choice(_ERRORS)
        if faults.has("zone is full"):
            sim.after(sim.rng.uniform(30.0, 500.0), self._fill)
        if faults.has("starts are throttled"):
            ec2.refusals["start", ALL] = Throttled("too many starts", code="RequestLimitExceeded")

    def is_mute(self, instance: Instance) -> bool:
        """Whether workers never speak on machines like this one."""
        return self._mute and instance.type == FIRST.type

    def excuses(self, instance: Instance, release: str | None) -> bool:
        """Whether a stopped machine may be terminated for another: see decision 0026.

        Its starts came to nothing three times, EC2 throttles all starts for minutes, or its
        offer's boots fail and there is another offer.  Of a full zone it is the starts that tell.

        Args:
            instance: as it is.
            release: that a start would run.
        """
        name = instance.id
        starts = self.starts[name] + self._sim.unanswered["ec2.start", name]
        silent = self._silent[instance.type, release] if len(self._offers) > 1 else 0
        return (
            starts >= REFUSED_STARTS
            or silent >= SILENT_BOOTS
            or self._sim.now - self._throttled_since >= FULL_SECONDS
        )

    def not_started(self, instance: str, error: ServiceError) -> None:
        """Count a start that EC2 refused."""
        if isinstance(error, Throttled):
            self._throttled_since = min(self._sim.now, self._throttled_since)
        else:
            self.starts[instance] += 1

    def fell_silent(self, instance: Instance) -> None:
        """Count a boot that ended without a heartbeat."""
        self._silent[instance.type, instance.release] += 1

    def heard(self, instance: Instance) -> None:
        """Note a boot's first heartbeat."""
        self._silent[instance.type, instance.release] = 0
        self.starts[instance.id] = 0
        self._sim.unanswered["ec2.start", instance.id] = 0

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
        self._ec2.full |= {FIRST, Offering(type=FIRST.type, subnet="subnet-0")}
