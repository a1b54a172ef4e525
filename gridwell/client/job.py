"""A job of the service, to follow and to read."""

from __future__ import annotations

import io
import math
import time
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from gridwell.client.errors import JobTimeout, no_result
from gridwell.client.status import JobStatus, Result, decoded
from gridwell.client.transport import parsed

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gridwell.client.transport import Transport

LONGEST_WAIT_SECONDS: Final = 30  #: that the service holds a request
_LOOK_SECONDS: Final = 0.25
_TURNED_AWAY_SECONDS: Final = 1.0


class Job:
    """A job that the service has accepted.

    Attributes:
        status: the job as last seen.
    """

    def __init__(self, transport: Transport, status: JobStatus) -> None:
        self._transport = transport
        self.status = status

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.status.state}>"

    @property
    def id(self) -> str:
        """Its id: 32 hex digits."""
        return self.status.id

    @property
    def result(self) -> Result | None:
        """What it found, or None if it was not done when last seen."""
        return self.status.result

    def refresh(self) -> JobStatus:
        """The job as it is now."""
        self.status = JobStatus.decode(self._transport.json("GET", self._path()))
        return self.status

    def wait(
        self,
        timeout: float | None = None,
        on_progress: Callable[[JobStatus], None] | None = None,
    ) -> Result:
        """What the job found, once it has ended.

        Args:
            timeout: seconds; None waits for as long as it takes.
            on_progress: called with the job's status a few times a second, and with the last
                one.  Without it the service is asked to hold the request instead, which costs
                both sides less.

        Raises:
            JobFailed: if the service gave it up.
            JobCancelled: if somebody cancelled it.
            JobTimeout: if it still runs; waiting again is fine.
        """
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while not self.status.ended:
            left = deadline - time.monotonic()
            if left <= 0:
                raise JobTimeout(self.status, cast("float", timeout))
            if on_progress is None:
                self._hold(left)
            else:
                on_progress(self.status)
                time.sleep(min(_LOOK_SECONDS, left))
                self.refresh()
        if on_progress is not None:
            on_progress(self.status)
        if not self.status.done or self.status.result is None:
            raise no_result(self.status)
        return self.status.result

    def cancel(self) -> JobStatus:
        """Cancel it, for everybody who waits for it; what is cancelled already stays so.

        Returns:
            The job as it is then.

        Raises:
            WrongState: if it is done or failed already.
        """
        self._transport.call("DELETE", self._path())
        return self.refresh()

    def atoms(self) -> NDArray[np.float64]:
        """Its atoms: float64 of shape (N, 4), each x, y, z and energy."""
        response = self._transport.call(
            "GET", self._path("/atoms"), headers={"Accept": "application/x-npy"}
        )

        def read() -> NDArray[np.float64]:
            table: NDArray[np.float64] = np.load(io.BytesIO(response.content), allow_pickle=False)
            return table

        return decoded("a table of atoms", read)

    def record(self) -> dict[str, Any]:
        """The record of a done job: what was asked and what was found, to keep."""
        record: dict[str, Any] = self._transport.json("GET", self._path("/record"))
        return record

    def _hold(self, left: float) -> None:
        """Ask the service to answer when the job has ended, or when it will hold us no longer."""
        # Whole seconds are all that the header knows, and 0 would not wait at all.
        seconds = min(LONGEST_WAIT_SECONDS, max(1, math.ceil(min(left, LONGEST_WAIT_SECONDS))))
        response = self._transport.call(
            "GET", self._path(), headers={"Prefer": f"wait={seconds}"}, wait=seconds
        )
        self.status = JobStatus.decode(parsed(response))
        if not self.status.ended and "Preference-Applied" not in response.headers:
            time.sleep(min(_TURNED_AWAY_SECONDS, left))  # too many wait already

    def _path(self, part: str = "") -> str:
        return f"/v1/jobs/{self.id}{part}"
