"""A job of the service, to follow and to read."""

from __future__ import annotations

import io
import math
import secrets
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

import numpy as np

from gridwell.client.errors import JobTimeout, NoSuchJob, no_result
from gridwell.client.events import moved, read_events
from gridwell.client.grid.map import GridMap
from gridwell.client.grid.picture import Picture, draw
from gridwell.client.notebook_html import job_html
from gridwell.client.status import JobStatus, Result, decoded
from gridwell.client.transport import parsed
from gridwell.engine.errors import InvalidMessage, ServiceError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from gridwell.client.events import ServerEvent
    from gridwell.client.status import Point
    from gridwell.client.transport import Transport

LONGEST_WAIT_SECONDS: Final = 30  #: that the service holds a request
_LOOK_SECONDS: Final = 0.25
_SILENCE_SECONDS: Final = 25.0  #: of a stream, which says each ten that it is still there
_NO_STREAM_SECONDS: Final = 12.0  #: less than that is polled: a stream is left late by up to ten
_STREAM_AGAIN_SECONDS: Final = 30.0  #: after one that was refused, or broke
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

    @property
    def points(self) -> tuple[Point, ...]:
        """All points that it found, in their order; none if it was not done when last seen."""
        return self.status.points

    def refresh(self) -> JobStatus:
        """The job as it is now."""
        fields = self._transport.json("GET", self._path())
        self.status = JobStatus.decode(fields).after(self.status)
        return self.status

    def wait(
        self,
        timeout: float | None = None,
        progress: Callable[[JobStatus], None] | None = None,
    ) -> Result:
        """What the job found, once it has ended.

        Args:
            timeout: seconds; None waits for as long as it takes.
            progress: called with the job's status at each step, and with the last one; see
                `events`.

        Raises:
            JobFailed: if the service gave it up.
            JobCancelled: if somebody cancelled it.
            JobTimeout: if it still runs; waiting again is fine.
        """
        if progress is not None:
            for status in self.events(timeout):
                progress(status)
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while not self.status.ended:
            left = deadline - time.monotonic()
            if left <= 0:
                raise JobTimeout(self.status, cast("float", timeout))
            self._hold(left)
        if not self.status.done or self.status.result is None:
            raise no_result(self.status)
        return self.status.result

    def events(self, timeout: float | None = None) -> Iterator[JobStatus]:
        """The job's status now and at each step, ten a second at most, and at its end.

        By server-sent events where the service has a stream to give, else by asking for the job
        four times a second.

        Args:
            timeout: seconds; None follows it for as long as it takes.

        Yields:
            The job as it is then; the last one has ended.

        Raises:
            JobTimeout: if it still runs.
        """
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        stream_at = 0.0
        last: str | None = None
        yield self.status
        while not self.status.ended:
            now = time.monotonic()
            left = deadline - now
            if left <= 0:
                raise JobTimeout(self.status, cast("float", timeout))
            if left > _NO_STREAM_SECONDS and now >= stream_at:
                began = now
                try:
                    for event in self._stream(last, deadline - _NO_STREAM_SECONDS):
                        self.status, last = moved(self.status, event), event.id
                        yield self.status
                except NoSuchJob:
                    raise
                except (ServiceError, InvalidMessage):
                    pass  # asking for the job itself tells if that is all that is wrong
                if time.monotonic() - began < _STREAM_AGAIN_SECONDS:
                    stream_at = time.monotonic() + _STREAM_AGAIN_SECONDS
            else:
                time.sleep(min(_LOOK_SECONDS, left))
            seen = self.status
            if self.refresh() != seen:
                yield self.status

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

    def grid(self) -> GridMap:
        """The potential of every point, of a done job that was submitted with `keep_grid`.

        Raises:
            NoSuchJob: if it keeps its map no longer.
            WrongState: if it kept none, or is not done.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = self.download("grid.npz", Path(folder) / "grid.npz")
            return GridMap.load(path)

    def picture(self) -> Picture:
        """Its atoms, the box of its grid and the points that it found, for a notebook to show."""
        return draw(self.status, self.atoms())

    def download(self, name: str, path: str | os.PathLike[str]) -> Path:
        """Store a file of the job, of any size.

        There are `atoms`, `record` and `points.csv`; of placed ions `ions.pdb`, and of a kept map
        `grid.dx`, `grid.cube` and `grid.npz`.

        The file is there once it is whole, and not before.

        Args:
            name: which.
            path: where to; what is there already is replaced.

        Returns:
            The path.

        Raises:
            NoSuchJob: if there is no such file, or it is kept no longer.
            WrongState: if the job did not keep it, or is not done.
            OSError: if the file cannot be written.
        """
        path = Path(path)
        # Beside it, so that the last step is a rename.
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            with _named(path), part.open("xb") as file:
                self._transport.download(self._path(f"/{quote(name, safe='')}"), file)
            with _named(path):
                part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return path

    def _stream(self, last: str | None, until: float) -> Iterator[ServerEvent]:
        """The steps of the job, until its end, the stream's end, or a time."""
        headers = {} if last is None else {"Last-Event-ID": last}
        with self._transport.lines(
            self._path("/events"), headers=headers, silence=_SILENCE_SECONDS
        ) as lines:
            for event in read_events(lines):
                if event.name == "end":
                    return
                if event.data is not None:
                    yield event
                if time.monotonic() >= until:
                    return

    def _repr_html_(self) -> str:
        return job_html(self.status, url=self._transport.url)

    def _hold(self, left: float) -> None:
        """Ask the service to answer when the job has ended, or when it will hold us no longer."""
        # Whole seconds are all that the header knows, and 0 would not wait at all.
        seconds = min(LONGEST_WAIT_SECONDS, max(1, math.ceil(min(left, LONGEST_WAIT_SECONDS))))
        response = self._transport.call(
            "GET", self._path(), headers={"Prefer": f"wait={seconds}"}, wait=seconds
        )
        self.status = JobStatus.decode(parsed(response)).after(self.status)
        if not self.status.ended and "Preference-Applied" not in response.headers:
            time.sleep(min(_TURNED_AWAY_SECONDS, left))  # too many wait already

    def _path(self, part: str = "") -> str:
        return f"/v1/jobs/{self.id}{part}"


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors of the system name this file, and not the one beside it."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # a connection's
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
