"""A request on its way in: its bytes, and until when the next ones must come."""

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
ASKED_BYTES: Final = 64 * 1024  #: of a body; the question costs about as much as receiving them
IN_MEMORY_BYTES: Final = 64 * 1024  #: what is larger waits in a file


class RequestBuffer:
    """A request that is being received.

    Its sender has a time for the head and a least rate for the body, both counted from their
    beginning: a byte now and then earns no more.

    Args:
        now: the time.
        idle_seconds: until when the first byte must come.
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
        self.latest = now  #: when the last bytes came
        self.began = now  #: when its body, or before that its head, began to come
        self._deadline = now + idle_seconds
        # Closed by `close`: it outlives this call by design.
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115

    @property
    def idle(self) -> bool:
        """Whether nothing has come yet."""
        return not self.size

    @property
    def is_small(self) -> bool:
        """Whether its body was announced, and is not what `LARGE_BODY` calls large."""
        framing = self.framing
        return self.size <= LARGE_BODY and (not framing.in_pieces or framing.limit <= LARGE_BODY)

    @property
    def is_asked_about(self) -> bool:
        """Whether its head is worth a question before its body is received."""
        framing = self.framing
        return framing.continues or framing.in_pieces or framing.announced > ASKED_BYTES

    @property
    def deadline(self) -> float:
        """When the sender's time is over."""
        return self._deadline + (self.size / BODY_RATE if self.framing.in_body else 0.0)

    def wait(self) -> None:
        """Its sender has time until `go_on`, as we are the ones that something is waited for."""
        self._deadline = math.inf

    def go_on(self, now: float) -> None:
        """The body may come: its time begins now."""
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
        """The received bytes from the first one, for a parser to read."""
        self._file.seek(0)
        return Replay(self)

    def read(self, size: int = -1) -> bytes:
        """Received bytes that have not been read since `replay`."""
        return self._file.read(size)

    def close(self) -> None:
        """Forget the bytes."""
        self._file.close()


class Replay:
    """What gunicorn's parser takes for the client's socket: it ends where the bytes end.

    So a thread that serves a request never waits for its client to send.
    """

    def __init__(self, arrival: RequestBuffer) -> None:
        self._arrival = arrival

    def recv(self, size: int) -> bytes:
        """The next bytes, or none at the end."""
        return self._arrival.read(size)
