"""Buffer of a request that is being received, with the deadline for its next bytes."""

from __future__ import annotations

import math
import tempfile
from typing import TYPE_CHECKING, Final

from web_tier.http_server.request_framing import Framing
from web_tier.overload.concurrency_limit import LARGE_BODY

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_SECONDS: Final = 10.0  #: from a new connection to the first byte
HEAD_SECONDS: Final = 10.0  #: from the first byte to the end of the header fields
BODY_SECONDS: Final = 10.0  #: for a body, and a second more for each `BODY_RATE` bytes of it
BODY_RATE: Final = 256 * 1024
ASKED_BYTES: Final = 64 * 1024  #: of a body; the check costs about as much as receiving them
IN_MEMORY_BYTES: Final = 64 * 1024  #: larger requests are stored in a file


class RequestBuffer:
    """Buffer of one request.

    Its sender has a time limit for the head and a least rate for the body, both counted from their
    beginning.  A byte now and then does not extend them.

    Args:
        now: the time.
        idle_seconds: for the first byte.
        limit_of: as `Framing` takes it.
    """

    def __init__(
        self,
        now: float,
        idle_seconds: float = FIRST_SECONDS,
        *,
        limit_of: Callable[[bytes], int | None] | None = None,
    ) -> None:
        self.framing = Framing() if limit_of is None else Framing(limit_of)
        self.size = 0  #: bytes received
        self.latest = now  #: time of the last bytes
        self.began = now  #: time of the first bytes of its body, or before that of its head
        self._deadline = now + idle_seconds
        # Closed by `close`: it outlives this call by design.
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115

    @property
    def idle(self) -> bool:
        """True if no byte was received yet."""
        return not self.size

    @property
    def is_small(self) -> bool:
        """True if its body is at most `LARGE_BODY` long, by its announced length or its limit."""
        framing = self.framing
        return self.size <= LARGE_BODY and (not framing.in_pieces or framing.limit <= LARGE_BODY)

    @property
    def is_asked_about(self) -> bool:
        """True if the application checks its head before its body is received."""
        framing = self.framing
        return framing.continues or framing.in_pieces or framing.announced > ASKED_BYTES

    @property
    def deadline(self) -> float:
        """The end of the sender's time."""
        return self._deadline + (self.size / BODY_RATE if self.framing.in_body else 0.0)

    def wait(self) -> None:
        """Suspend the sender's deadline until `go_on`, as the sender waits for this process."""
        self._deadline = math.inf

    def go_on(self, now: float) -> None:
        """Begin the time of the body."""
        self.began = self.latest = now
        self._deadline = now + BODY_SECONDS

    def take(self, data: bytes, now: float) -> None:
        """Receive the next bytes."""
        if not data:
            return
        self.latest = now
        if self.idle:
            self.began, self._deadline = now, now + HEAD_SECONDS
        in_body = self.framing.in_body
        self.framing.take(data)
        if self.framing.in_body and not in_body:
            self.began, self._deadline = now, now + BODY_SECONDS
        if self.framing.refusal is None:
            self.size += len(data)
            self._file.write(data)

    def replay(self) -> Replay:
        """Return the received bytes from the first one, for a parser to read."""
        self._file.seek(0)
        return Replay(self)

    def read(self, size: int = -1) -> bytes:
        """Return received bytes that have not been read since `replay`."""
        return self._file.read(size)

    def close(self) -> None:
        """Delete the bytes."""
        self._file.close()


class Replay:
    """Substitute of the client's socket for gunicorn's parser, which ends where the bytes end.

    So a thread that serves a request never waits for its client to send.
    """

    def __init__(self, arrival: RequestBuffer) -> None:
        self._arrival = arrival

    def recv(self, size: int) -> bytes:
        """Return the next bytes, or none at the end."""
        return self._arrival.read(size)
