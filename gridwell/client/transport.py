"""HTTP to the service: sessions, retries, and its errors as ours."""

from __future__ import annotations

import threading
import weakref
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError
from urllib3.util import Retry

import gridwell
from gridwell.access.addresses import is_loopback
from gridwell.client.bearer_key import BearerKey, origin_of
from gridwell.client.errors import KeyRefused, NoSuchJob, Unreachable
from gridwell.client.json_body import not_finite
from gridwell.engine.errors import (
    Fault,
    GridwellError,
    InvalidJob,
    InvalidMessage,
    ServiceBusy,
    ServiceError,
    WrongState,
)
from gridwell.engine.printable import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 60.0  #: beyond what the service was asked to wait
_BACKOFF_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 30
_PIECE: Final = 256 * 1024  #: bytes
_SHOWN: Final = 200  #: characters of an answer that is not ours
ASKS_TO_RETRY: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_FAULTY: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_DENIED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_ABSENT: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_NO_ADDRESS: Final = "not_found"  #: the code of what the interface does not have at all


class Transport:
    """Calls the service from any number of threads: each has connections of its own.

    Args:
        url: of the service, without a path of the interface.
        retries: further tries after a lost connection or an answer that asks for one (429, 503),
            after the seconds that it asks for if they are few.  Every call may be repeated, a
            submission too: an equal one joins the same job.
        key: sent with every request; None: none is.
        allow_http: see `BearerKey`.
        retry: how calls are tried again, instead of `retries` times.

    Raises:
        ValueError: if the URL is not one of HTTP, or the key cannot be one, or may not be sent
            there.
    """

    def __init__(
        self,
        url: str,
        *,
        retries: int,
        key: str | None = None,
        allow_http: bool | None = None,
        retry: Retry | None = None,
    ) -> None:
        _, host, _ = origin_of(url)
        self.url = url.rstrip("/")
        self._direct = is_loopback(host)
        self._retry = _patience(retries) if retry is None else retry
        self._auth = None if key is None else BearerKey(key, url, allow_http=allow_http)
        self._mine = threading.local()
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        wait: float = 0.0,
        stream: bool = False,
    ) -> requests.Response:
        """Return the response to a request, if it is a good one.

        Args:
            method: of HTTP.
            path: of the interface, with its query.
            headers: of the request.
            body: sent as JSON where it is not None.
            wait: seconds that the service may hold the request.
            stream: whether the caller reads the body, and closes the response, itself.

        Raises:
            InvalidJob: with each fault that the service found in the request.
            NoSuchJob: if what is asked for does not exist.
            Unreachable: if nothing answers.
            ServiceBusy: if it still asks to try again after all retries.
            KeyRefused: if it does not let us.
            WrongState: if what it concerns is not in a state that allows it.
            ServiceError: if it failed.
        """
        try:
            response = self._session().request(
                method,
                self.url + path,
                headers=dict(headers or {}),
                json=body,
                timeout=(CONNECT_SECONDS, READ_SECONDS + wait),
                stream=stream,
                allow_redirects=False,
            )
        except requests.exceptions.InvalidJSONError as error:
            raise InvalidJob(*(not_finite(body) or [Fault("", str(error))])) from error
        except requests.RequestException as error:
            raise Unreachable(
                f"no service answers at {self.url} ({type(error).__name__}); "
                "is it up, and is that its URL?"
            ) from error
        _check(response, has_key=self._auth is not None)
        return response

    def download(self, path: str, file: BinaryIO) -> None:
        """Write what a path holds to a file, of any size in little memory.

        Raises:
            Unreachable: if the connection breaks off before the end.
            GridwellError: as `call`.
        """
        with self.call("GET", path, stream=True) as response:
            try:
                file.writelines(response.iter_content(_PIECE))
            except requests.RequestException as error:
                raise Unreachable(
                    f"{response.url} broke off in the middle ({type(error).__name__}); try again"
                ) from error

    def json(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        wait: float = 0.0,
    ) -> Any:
        """Return the JSON value of the response to a request; see `call`.

        Raises:
            InvalidMessage: if the answer is not JSON.
        """
        return parsed(self.call(method, path, headers=headers, body=body, wait=wait))

    @contextmanager
    def lines(
        self, path: str, *, headers: Mapping[str, str], silence: float
    ) -> Iterator[Iterator[str]]:
        """Yield the lines of a stream of events as they come; a refused one is not tried again.

        Args:
            path: of the interface.
            headers: of the request.
            silence: seconds without a byte, after which the connection is dead.

        Raises:
            Unreachable: if nothing answers, or the stream breaks.
            ServiceError: and the others of `call`, if there is no stream.
        """
        with self._new_session(_patience(0)) as session:
            try:
                with session.get(
                    self.url + path,
                    headers={"Accept": "text/event-stream", **headers},
                    timeout=(CONNECT_SECONDS, silence),
                    stream=True,
                    allow_redirects=False,
                ) as response:
                    _check(response, has_key=self._auth is not None)
                    if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                        raise ServiceError(f"{response.url} is no stream of events")
                    response.encoding = "utf-8"
                    # Byte by byte from the connection's buffer: an event must not wait for more.
                    yield response.iter_lines(chunk_size=1, decode_unicode=True)
            except (requests.RequestException, OSError) as error:
                raise Unreachable(
                    f"the stream of {self.url} broke ({type(error).__name__})"
                ) from error

    def close(self) -> None:
        """Close every thread's connections."""
        for session in list(self._sessions):
            session.close()

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._mine, "session", None)
        if session is None:
            session = self._mine.session = self._new_session(self._retry)
            self._sessions.add(session)
        return session

    def _new_session(self, retry: Retry) -> requests.Session:
        session = requests.Session()
        # A proxy for the outside world cannot reach a service on this machine.
        session.trust_env = not self._direct
        session.auth = self._auth
        session.headers["User-Agent"] = f"gridwell/{gridwell.__version__}"
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        return session


class PatientRetry(Retry):
    """Tries that keep to Retry-After, unless it asks for longer than half a minute."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> Self:
        """The tries that are left.

        Raises:
            MaxRetryError: if there are none, or the next one would be too far off.
        """
        if response is not None and (self.get_retry_after(response) or 0) > _LONGEST_PAUSE_SECONDS:
            raise MaxRetryError(_pool, str(url), error)
        return super().increment(method, url, response, error, _pool, _stacktrace)


def _patience(retries: int) -> Retry:
    return PatientRetry(
        total=retries,
        allowed_methods=None,
        status_forcelist=ASKS_TO_RETRY,
        backoff_factor=_BACKOFF_SECONDS,
        raise_on_status=False,
    )


def parsed(response: requests.Response) -> Any:
    """Return the JSON value of a response.

    Raises:
        InvalidMessage: if it is not JSON.
    """
    try:
        return response.json()
    except ValueError as error:
        raise InvalidMessage(
            f"{response.url} answers {response.text[:_SHOWN]!r}, which is not JSON; check the URL"
        ) from error


def _check(response: requests.Response, *, has_key: bool) -> None:
    """Return if a response is a success, else raise its error."""
    if response.is_redirect:
        # The interface has none, and where this one leads is not known to be the service.
        place = excerpt(response.headers["Location"], _SHOWN)
        raise InvalidMessage(f"{response.url} leads to {place}; give the URL of the service there")
    if not response.ok:
        raise _error(response, has_key=has_key)


def _error(response: requests.Response, *, has_key: bool) -> GridwellError:
    """Return the error that a response stands for."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {}
    detail = str(problem.get("detail") or response.text[:_SHOWN] or response.reason)
    status, code = response.status_code, str(problem.get("code") or f"http_{response.status_code}")
    if status in _FAULTY:
        faults = [
            Fault(str(fault.get("pointer", "")), str(fault.get("detail", "")))
            for fault in problem.get("errors") or ()
            if isinstance(fault, dict)
        ]
        invalid = InvalidJob(*(faults or [Fault("", detail)]))
        invalid.code = code
        return invalid
    if status in _ABSENT:
        known = problem.get("code") != _NO_ADDRESS
        no_address = f"{response.url} is no address of the interface; check the URL"
        return NoSuchJob(detail) if known else InvalidMessage(no_address)
    if status == HTTPStatus.CONFLICT:
        return WrongState(detail, code=code)
    words = f"{response.url} answers {status}: {detail}"
    if status in ASKS_TO_RETRY:
        wait = response.headers.get("Retry-After", "")
        words = f"{words} (it asks to wait {wait} s)" if wait.isdigit() else words
        return ServiceBusy(words, code=code)
    if status == HTTPStatus.UNAUTHORIZED and not has_key:
        return KeyRefused(
            f"{response.url} asks for a key: set GRIDWELL_KEY for commands, or give "
            "Client(url, key=…); the operator makes one by `gridwell keys create`",
            code=code,
        )
    refused = KeyRefused if status in _DENIED else ServiceError
    return refused(words, code=code)
