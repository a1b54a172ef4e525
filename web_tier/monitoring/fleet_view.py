"""Reader of the fleet's view for pages and the API; one that cannot be read counts as none."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import InvalidMessage

if TYPE_CHECKING:
    from gridwell.fleet.model import FleetView
    from gridwell.fleet.ports import FleetLedger

logger: Final = logging.getLogger(__name__)


def last_view(ledger: FleetLedger) -> FleetView | None:
    """Return the view as last written; None if there is none, or if it cannot be read.

    The autoscaler writes a new one at its next look.

    Raises:
        ServiceError: if the ledger is away.
    """
    try:
        return ledger.view()
    except (InvalidMessage, KeyError, TypeError, ValueError) as error:
        logger.warning(
            "the fleet's view cannot be read, it shows as empty: %s",
            error,
            extra={"action": "fleet.view_unreadable"},
        )
        return None
