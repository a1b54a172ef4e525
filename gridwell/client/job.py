"""A job of any kind, to follow and to read."""

from __future__ import annotations

import math
import secrets
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, cast
from urllib.parse import quote

from gridwell.client.errors import JobTimeout, NoSuchJob, no_result
from gridwell.client.events import StatusT, moved, read_events
from gridwell.client.notebook_html import job_html
from gridwell.client.transport import parsed
from gridwell.engine.errors import InvalidMessage, ServiceError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from gridwell.client.events import ServerEvent
    from gridwell.client.transport import Transport

LONGEST_WAIT_SECONDS: Final = 30  #: that the service holds a request
_LOOK_SECONDS: Final = 0.25
_PLAIN_LOOK_SECONDS: Final = 1.0  #: of a kind whose steps no stream tells
_SILENCE_SECONDS: Final = 25.0  #: of a stream, which says each ten that it is still there
_NO_STREAM_SECONDS: Final = 12.0  #: less than that is polled: a stream is left late by up to ten
_STREAM_AGAIN_SECONDS: Final = 30.0  #: after one that was refused, or broke
_TURNED_AWAY_SECONDS: Final = 1.0


class Job(Generic[StatusT]):
    """A job that the service has accepted.

    Attributes:
        status: the job as last seen.
    """

    def __init__(self, transport: Transport, status: StatusT) -> None:
        self._transport = transport
        self.status = status

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.status.state}>"

    @property
    def id(self) -> str:
        """Its id: 32 hex digits."""
        return self.status.id

    @property
    def result(self) -> Any:
        """Its result, or None if it was not done when last seen."""
        return self.status.result

    def refresh(self) -> StatusT:
        """Read the job as it is now."""
        fields = self._transport.json("GET", self._path())
        self.status = self.status.decode(fields).after(self.status)
        return self.status

    def wait(
        self,
        timeout: float | None = None,
        progress: Callable[[StatusT], None] | None = None,
    ) -> Any:
        """Wait until the job has ended, and return its result.

        Args:
            timeout: seconds; None waits for as long as it takes.
            progress: called with the job's status at each step, and with the last one; see
                `events`.

        Raises:
            JobFailed: if the service gave it up.
            JobCancelled: if it was cancelled.
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
        if not self.status.done:
            raise no_result(self.status)
        return self.status.result

    def events(self, timeout: float | None = None) -> Iterator[StatusT]:
        """Yield the job's status now and at each step, ten a second at most, and at its end.

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
            streamed = self.status.steps_in_stream
            if streamed and left > _NO_STREAM_SECONDS and now >= stream_at:
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
                time.sleep(min(_LOOK_SECONDS if streamed else _PLAIN_LOOK_SECONDS, left))
            seen = self.status
            latest = self.refresh()
            if (latest, latest.measure) != (seen, seen.measure):
                yield latest

    def cancel(self) -> StatusT:
        """Cancel it, for everybody who waits for it; what is cancelled already stays so.

        Returns:
            The job as it is then.

        Raises:
            WrongState: if it is done or failed already.
        """
        self._transport.call("DELETE", self._path())
        return self.refresh()

    def download(self, name: str, path: str | os.PathLike[str]) -> Path:
        """Store a file of the job, of any size.

        The file is there once it is whole, and not before.

        Args:
            name: of the file below the job's address; which there are its kind says.
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
        self.status = self.status.decode(parsed(response)).after(self.status)
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
