"""gunicorn's worker of threads, with a buffer in front of the threads.

gunicorn's own worker gives a thread to each client that has sent a byte, until the client has sent
the rest.  It closes connections in its only loop, which takes two seconds for each client that does
not close its end.  In this worker the loop receives whole requests, and threads only serve them.
"""

from __future__ import annotations

import contextlib
import errno
import math
import selectors
import socket
import threading
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from gunicorn import util
from gunicorn.http import errors, get_parser, wsgi
from gunicorn.workers.gthread import TConn, ThreadWorker

from web_tier.auth.body_limits import BodyLimits
from web_tier.auth.owners import Owners
from web_tier.dependencies import dependencies_of
from web_tier.http_server.connections import Connections
from web_tier.http_server.early_refusal import answer_to_head
from web_tier.http_server.early_responses import (
    BROKEN,
    FULL,
    NO_ROOM,
    TOO_SLOW,
    CheckedBody,
    malformed,
    overloaded,
    refusal_bytes,
)
from web_tier.http_server.eviction import HeldBytes, first_to_go
from web_tier.http_server.pending_submissions import PendingSubmissions
from web_tier.http_server.request_buffer import RequestBuffer
from web_tier.overload.concurrency_limit import HELD
from web_tier.overload.fair_shares import FairShares

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from web_tier.http_server.pending_submissions import Queued
    from web_tier.overload.concurrency_limit import Permit
    from web_tier.request_limits import FramingError

SPARE_THREADS: Final = 8  #: for health checks, however busy the process is
SEND_SECONDS: Final = 30.0  #: for a client to take the next piece of an answer
LINGER_SECONDS: Final = 2.0  #: for a client to close its end after the last answer
REFUSED_SECONDS: Final = 15.0  #: the same after a refusal, while it may still be sending
HELD_BYTES: Final = 512 * 1024 * 1024  #: of all requests that were not served yet
QUEUED_MOST: Final = 1024  #: submissions that wait for a place
QUEUED_SECONDS: Final = 10.0  #: how long they do
LARGE_QUEUED_MOST: Final = 15  #: the same of large bodies, which are stored on the disk
LARGE_QUEUED_SECONDS: Final = 20.0
ACCEPTED_TOGETHER: Final = 64  #: connections accepted in one iteration of the loop
RESERVED_THREADS: Final = 32  #: that no single owner may hold, of fewer threads an eighth
_READ_BYTES: Final = 256 * 1024
_SWEEP_SECONDS: Final = 0.25
#: Request lines of health checks and of Prometheus.
_HEALTH: Final = (b"GET /healthz ", b"GET /metrics ", b"GET /readyz ")
_SUBMIT: Final = b"POST "

_CHUNKED: Final = "chunked"

# The name in the Server field; gunicorn has no setting for it.
wsgi.SERVER = "gridwell"


class BufferingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Worker that receives requests in its loop, serves them in threads, and refuses the rest."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._arrivals: dict[TConn, RequestBuffer] = {}
        self._leaving: dict[TConn, float] = {}
        self._held = 0
        self._in_service: dict[TConn, RequestBuffer] = {}
        self._asked: set[TConn] = set()
        self._threads = FairShares()  #: at work for each owner
        self._swept_at = 0.0
        self._permits: dict[TConn, Permit] = {}

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Start all threads before the first request.

        A later start would make the loop wait for the threads that are at work.
        """
        pool: ThreadPoolExecutor = super().get_thread_pool()
        started = threading.Barrier(int(self.cfg.threads) + 1)
        for _ in range(started.parties - 1):
            pool.submit(started.wait)
        started.wait()
        return pool

    def load_wsgi(self) -> None:
        """Load the application and connect the queues to its concurrency limits."""
        super().load_wsgi()
        parts = dependencies_of(self.wsgi)
        self._refused = parts.metrics.refused
        self._conns = Connections(Owners(parts.access.credentials, parts.access.proxies))
        self._small = PendingSubmissions(
            parts.gates.submits, most=QUEUED_MOST, seconds=QUEUED_SECONDS
        )
        self._large = PendingSubmissions(
            parts.gates.large_bodies, most=LARGE_QUEUED_MOST, seconds=LARGE_QUEUED_SECONDS
        )
        for waiting in (self._small, self._large):
            waiting.limit.on_leave = lambda: self.method_queue.defer(self._serve_queued)
        self._limit_of = BodyLimits(self.wsgi.url_map)

    # --- called by gunicorn's loop

    def accept(self, listener: socket.socket) -> None:
        """Accept the waiting connections and receive their first requests without a thread."""
        for _ in range(ACCEPTED_TOGETHER):
            try:
                sock, address = listener.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._make_room()
                return  # there is none left, or it was closed before it was accepted
            conn = TConn(self.cfg, sock, address, listener.getsockname())
            self.nr_conns += 1
            self._conns.add(conn)
            self._receive(conn, RequestBuffer(time.monotonic(), limit_of=self._limit_of))
            if self.nr_conns >= self.worker_connections:
                self._make_room()

    def finish_request(self, conn: TConn, served: Future[bool]) -> None:
        """Wait for the client's next request, or for the end of its connection."""
        arrival = self._in_service.pop(conn)
        self._threads.give_back(self._conns.owner(conn))
        if conn in self._permits:
            self._permits.pop(conn).leave()
        again = (
            not served.cancelled()
            and served.exception() is None
            and served.result()
            and self.alive
            and arrival.framing.certain
        )
        early = conn.parser.unreader.take_buffered() + arrival.read() if again else b""
        self._forget(arrival)
        if not again:
            self._leave(conn, LINGER_SECONDS)
            return
        now = time.monotonic()
        following = RequestBuffer(now, self.cfg.keepalive, limit_of=self._limit_of)
        conn.sock.settimeout(0)
        self._receive(conn, following)
        if early:  # requests may be sent ahead of the answers
            self._take(conn, following, early)

    def murder_keepalived(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 - gunicorn's
        """Close connections whose time limit has passed; called in each iteration of the loop."""
        now = time.monotonic()
        if now - self._swept_at < _SWEEP_SECONDS and not force:
            return
        self._swept_at = now
        for conn, arrival in list(self._arrivals.items()):
            if arrival.idle and (force or not self.alive or arrival.deadline <= now):
                self._drop(conn)
            elif force or arrival.deadline <= now:
                self._refuse(conn, TOO_SLOW)
        for waiting in (self._small, self._large):
            for queued in waiting.expired(math.inf if force else now):
                self._shed(queued, waiting)
        for conn, deadline in list(self._leaving.items()):
            if force or deadline <= now:
                self._drop(conn)

    def murder_pending(self) -> None:
        """Do nothing, as `murder_keepalived` ends all connections whose time limit has passed."""

    # --- called by its threads

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Serve a request; close the connection of a client that does not read."""
        conn.sock.settimeout(SEND_SECONDS)
        req.body = CheckedBody(req.body)
        req._expected_100_continue = False  # noqa: SLF001 - the loop has sent it
        for name, value in req.headers:
            if name == "TRANSFER-ENCODING" and value.lower() != _CHUNKED:
                raise errors.UnsupportedTransferCoding(value)
        HELD.set(self._permits.get(conn))
        try:
            return super().handle_request(req, conn)
        except TimeoutError:
            self.log.info("gave up on %s: it does not read its answer", conn.client)
            raise StopIteration from None

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Respond to a request that the parser refuses, or whose handler failed."""
        if isinstance(exc, errors.ParseException):
            refusal = self._malformed(exc, addr)
        else:
            refusal = BROKEN
            self.log.error("a request failed: %s", getattr(req, "uri", "unread"), exc_info=exc)
        with contextlib.suppress(OSError):
            client.settimeout(SEND_SECONDS)
            client.sendall(refusal_bytes(refusal))

    def _malformed(self, error: Exception, address: Any) -> FramingError:
        self.log.info("refused a request of %s: %s", address, error)
        return malformed(error)

    # --- receiving

    def _receive(self, conn: TConn, arrival: RequestBuffer) -> None:
        self._arrivals[conn] = arrival
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._on_bytes, conn))

    def _on_bytes(self, conn: TConn, sock: socket.socket) -> None:
        arrival = self._arrivals.get(conn)
        if arrival is None:
            return
        try:
            data = sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._take(conn, arrival, data)
        else:
            self._drop(conn)

    def _take(self, conn: TConn, arrival: RequestBuffer, data: bytes) -> None:
        in_body, held = arrival.framing.in_body, arrival.size
        try:
            arrival.take(data, time.monotonic())
        except OSError:  # the disk is full
            self.log.exception("cannot hold what %s sends", conn.client)
            self._held += arrival.size - held
            self._refuse(conn, NO_ROOM)
            return
        self._held += arrival.size - held
        framing = arrival.framing
        if framing.in_body and not in_body:
            self._conns.read_head(conn, framing.fields)
        if self._held > HELD_BYTES:
            self._make_space()
            if self._arrivals.get(conn) is not arrival:
                return  # it was its own bytes
        if framing.refusal is not None and framing.routed:
            self._refuse(conn, framing.refusal)
        elif framing.refusal is not None:  # the application gives the reason: no route takes it
            self._ask(conn, arrival)
        elif framing.whole:
            self._serve(conn, arrival)
        elif framing.in_body and not in_body and arrival.is_asked_about:
            self._ask(conn, arrival)

    def _ask(self, conn: TConn, arrival: RequestBuffer) -> None:
        """Check a request by its header fields in a thread, as a key may have to be looked up.

        Meanwhile nothing is read, so that a client without a key takes no room for its body.
        """
        if self._is_full(conn, SPARE_THREADS):
            self._refuse(conn, FULL)
            return
        self.poller.unregister(conn.sock)
        arrival.wait()
        self._asked.add(conn)
        owner = self._conns.owner(conn)
        self._threads.take(owner)
        head = bytes(arrival.framing.head)
        checked = self.tpool.submit(self._answer_to_head, conn, head)
        checked.add_done_callback(
            lambda done: self.method_queue.defer(self._on_checked, conn, arrival, owner, done)
        )

    def _answer_to_head(self, conn: TConn, head: bytes) -> bytes | None:
        try:
            return answer_to_head(self.wsgi, head, conn, self.cfg)
        except errors.ParseException as error:
            return refusal_bytes(self._malformed(error, conn.client))
        except Exception:  # the loop must not end by it; the whole request will show the error
            self.log.exception("the check of a request by its header fields failed")
            return None

    def _on_checked(
        self, conn: TConn, arrival: RequestBuffer, owner: str, checked: Future[bytes | None]
    ) -> None:
        self._asked.discard(conn)
        self._threads.give_back(owner)
        if self._arrivals.get(conn) is not arrival:
            return  # it was refused meanwhile
        # Its key may be known only now.
        self._conns.read_head(conn, arrival.framing.fields)
        answer = checked.result()
        if answer is None and arrival.framing.refusal is not None:
            self._refuse(conn, arrival.framing.refusal)
            return
        if answer is not None:
            self._unlist(conn)
            self._send_away(conn, answer)
            return
        arrival.go_on(time.monotonic())
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._on_bytes, conn))
        if arrival.framing.continues:
            with contextlib.suppress(OSError):
                conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _is_full(self, conn: TConn, spare: int) -> bool:
        """Return True if no thread is free for a connection, except for the spare ones."""
        threads = int(self.cfg.threads)
        reserved = min(RESERVED_THREADS, threads // 8) if spare else 0
        return (
            self._threads.total >= threads - spare
            or self._threads.of(self._conns.owner(conn)) >= threads - spare - reserved
        )

    def _serve(self, conn: TConn, arrival: RequestBuffer) -> None:
        head = arrival.framing.head
        if self._is_full(conn, 0 if head.startswith(_HEALTH) else SPARE_THREADS):
            self._refuse(conn, FULL)
        elif head.startswith(_SUBMIT):
            self._queue(conn, arrival)
            self._serve_queued()
        else:
            self._dispatch(conn, self._taken(conn))

    def _queue(self, conn: TConn, arrival: RequestBuffer) -> None:
        """Let a submission wait for its permit without a thread, for a moment."""
        waiting = self._small if arrival.is_small else self._large
        self._taken(conn)
        displaced = waiting.put(conn, arrival, self._conns.owner(conn), time.monotonic())
        if displaced is not None:
            self._shed(displaced, waiting)

    def _serve_queued(self) -> None:
        """Serve waiting submissions, of their owners in turn, as far as there are permits."""
        for waiting in (self._small, self._large):
            for queued, permit in waiting.admitted():
                self._permits[queued.conn] = permit
                self._dispatch(queued.conn, queued.arrival)

    def _shed(self, queued: Queued, waiting: PendingSubmissions) -> None:
        """Refuse a submission that waited in vain, or that was displaced by another owner's."""
        self._forget(queued.arrival)
        self._answer(queued.conn, overloaded(waiting.limit.refusal(queued.owner)))

    def _taken(self, conn: TConn) -> RequestBuffer:
        """Stop reading from a client and return its request."""
        self.poller.unregister(conn.sock)
        return self._arrivals.pop(conn)

    def _dispatch(self, conn: TConn, arrival: RequestBuffer) -> None:
        self._in_service[conn] = arrival
        self._threads.take(self._conns.owner(conn))
        conn.parser = get_parser(self.cfg, arrival.replay(), conn.client)
        conn.initialized = conn.data_ready = True
        self.enqueue_req(conn)

    # --- refusing

    def _refuse(self, conn: TConn, refusal: FramingError) -> None:
        self._unlist(conn)
        self._answer(conn, refusal)

    def _answer(self, conn: TConn, refusal: FramingError) -> None:
        self._refused(refusal.code)
        self._send_away(conn, refusal_bytes(refusal))

    def _send_away(self, conn: TConn, answer: bytes) -> None:
        """Respond without a thread; the response fits into any socket's buffer."""
        with contextlib.suppress(OSError):
            conn.sock.send(answer)
        self._leave(conn, REFUSED_SECONDS)

    def _leave(self, conn: TConn, seconds: float) -> None:
        """Close our end now, and the rest when the client has closed its own.

        Closing at once would destroy an answer on its way if the client is still sending.
        """
        try:
            conn.sock.settimeout(0)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._on_end, conn))
        except (OSError, ValueError):  # it is gone
            self._close(conn)
            return
        self._leaving[conn] = time.monotonic() + seconds

    def _on_end(self, conn: TConn, sock: socket.socket) -> None:
        if conn not in self._leaving:
            return
        try:
            if sock.recv(_READ_BYTES):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._drop(conn)

    def _make_room(self) -> None:
        """Close the connection nearest to its deadline, of the owner that has the most.

        Connections whose clients have their response already come first.
        """
        for own in self._conns.by_owner():
            left = [conn for conn in own if conn in self._leaving]
            if left:
                self._drop(min(left, key=lambda conn: self._leaving[conn]))
                return
            coming = [conn for conn in own if conn in self._arrivals]
            if coming:
                self._drop(min(coming, key=lambda conn: self._arrivals[conn].deadline))
                return

    def _make_space(self) -> None:
        """Evict requests until the others have room, of the owner of most bytes first."""
        now, owner = time.monotonic(), self._conns.owner
        while self._held > HELD_BYTES:
            waiting = {
                queued.conn: (queued, waiting)
                for waiting in (self._small, self._large)
                for queued in waiting
            }
            candidates = {
                conn: HeldBytes(owner=queued.owner, size=queued.arrival.size)
                for conn, (queued, _) in waiting.items()
            }
            for conn, arrival in self._arrivals.items():
                candidates[conn] = HeldBytes(
                    owner=owner(conn),
                    size=arrival.size,
                    seconds=now - arrival.began,
                    idle=now - arrival.latest,
                )
            totals: Counter[str] = Counter()
            for held in candidates.values():
                totals[held.owner] += held.size
            for conn, arrival in self._in_service.items():
                totals[owner(conn)] += arrival.size
            chosen = first_to_go(candidates, totals)
            if chosen is None:
                return
            if chosen in waiting:
                queued, submissions = waiting[chosen]
                submissions.remove(queued)
                self._forget(queued.arrival)
                self._answer(chosen, NO_ROOM)
            else:
                self._refuse(chosen, NO_ROOM)

    def _drop(self, conn: TConn) -> None:
        self._unlist(conn)
        self._close(conn)

    def _unlist(self, conn: TConn) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self._leaving.pop(conn, None)
        arrival = self._arrivals.pop(conn, None)
        if arrival is not None:
            self._forget(arrival)

    def _forget(self, arrival: RequestBuffer) -> None:
        self._held -= arrival.size
        arrival.close()

    def _close(self, conn: TConn) -> None:
        self.nr_conns -= 1
        self._conns.remove(conn)
        util.close(conn.sock)
