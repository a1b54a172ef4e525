"""The service as a client sees it over HTTP."""

from __future__ import annotations

import io
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import numpy as np
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from gridwell.access.addresses import is_loopback
from gridwell.client.bearer_key import BearerKey
from gridwell.engine.errors import GridwellError, ServiceBusy, ServiceError

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

_CONNECT_SECONDS: Final = 5
_READ_SECONDS: Final = 20  #: beyond the wait that was asked for
_CONNECT_TRIES: Final = 8  #: a quarter of a minute: the service may be restarting
_READ_TRIES: Final = 2
_BUSY: Final = frozenset({429, 503})
_PAUSE_SECONDS: Final = 1.0
_REFUSED: Final = range(400, 500)
_JSON: Final = {"Content-Type": "application/json"}


class RequestRefused(GridwellError):  # noqa: N818 - named for what it is, like InvalidJob
    """The service will not do this: the same request would be refused again."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        super().__init__(detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceReply:
    """A job as the service last showed it."""

    job: dict[str, Any]
    pause: float  #: seconds to leave the service alone before asking again

    @property
    def ended(self) -> bool:
        """True if the job is done or failed."""
        return self.job["state"] in ("done", "failed")


class ServiceClient:
    """One session per thread over connections that stay open.

    Connection errors, 429 and 503 are tried again by urllib3, which keeps to Retry-After: a POST
    too, since the same request joins the same job.

    Args:
        url: where the service is, without a path.
        key: sent with every request, where the service asks for one.
        tries: maximum number of repetitions of a call; fewer if the connection is refused.

    Raises:
        ValueError: if the key cannot be one, or may not be sent there; see `BearerKey`.
    """

    def __init__(self, url: str, *, key: str | None = None, tries: int = 30) -> None:
        self._auth = None if key is None else BearerKey(key, url)
        self._url = url.rstrip("/")
        self._tries = tries
        self._mine = threading.local()
        self._sessions: list[requests.Session] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """The service itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections of every thread."""
        with self._lock:
            for session in self._sessions:
                session.close()

    def check(self) -> None:
        """Return if the service answers.

        Raises:
            ServiceError: if it does not.
        """
        self._call("GET", "/healthz")

    def submit(self, body: dict[str, Any], *, wait: int) -> ServiceReply:
        """Post a job and wait up to `wait` seconds for its end.

        Raises:
            Refused: if the service does not take it.
            ServiceError: if there is no answer.
        """
        data = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
        return _reply(self._call("POST", "/v1/jobs", wait=wait, data=data))

    def read(self, job: str, *, wait: int) -> ServiceReply:
        """Read a job and wait up to `wait` seconds for its end; raises as `submit` does."""
        return _reply(self._call("GET", f"/v1/jobs/{job}", wait=wait))

    def atoms(self, job: str) -> NDArray[np.float64]:
        """A job's atoms, of shape (N, 4); raises as `submit` does."""
        response = self._call("GET", f"/v1/jobs/{job}/atoms", accept="application/x-npy")
        try:
            # ascontiguousarray: the service writes little-endian, whatever machine this is.
            return np.ascontiguousarray(
                np.load(io.BytesIO(response.content), allow_pickle=False), dtype=np.float64
            )
        except ValueError as error:
            raise ServiceError(f"the atoms of job {job} are no .npy file: {error}") from error

    def record(self, job: str) -> dict[str, Any]:
        """A job's record; raises as `submit` does."""
        return _read_json(self._call("GET", f"/v1/jobs/{job}/record"))

    def fleet(self) -> dict[str, Any]:
        """The fleet; raises as `submit` does."""
        return _read_json(self._call("GET", "/v1/fleet"))

    def _call(
        self,
        method: str,
        path: str,
        *,
        wait: int = 0,
        accept: str = "application/json",
        data: bytes | None = None,
    ) -> requests.Response:
        headers = {"Accept": accept}
        if data is not None:
            headers |= _JSON
        if wait:
            headers["Prefer"] = f"wait={wait}"
        try:
            response = self._session().request(
                method,
                self._url + path,
                data=data,
                headers=headers,
                timeout=(_CONNECT_SECONDS, wait + _READ_SECONDS),
                allow_redirects=False,  # the interface has none
            )
        except requests.RequestException as error:
            raise ServiceBusy(f"{method} {self._url}{path} got no answer: {error}") from error
        if not response.ok or response.is_redirect:
            raise _error(response, f"{method} {path}")
        return response

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._mine, "session", None)
        if session is None:
            retry = Retry(
                total=self._tries,
                connect=min(self._tries, _CONNECT_TRIES),
                read=min(self._tries, _READ_TRIES),
                status_forcelist=_BUSY,
                allowed_methods=None,  # every method: each call here may be repeated
                backoff_factor=0.1,
                backoff_max=5,
                raise_on_status=False,
            )
            session = self._mine.session = requests.Session()
            session.auth = self._auth
            session.trust_env = not is_loopback(urlsplit(self._url).hostname or "")
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=retry))
            with self._lock:
                self._sessions.append(session)
        return session


def _reply(response: requests.Response) -> ServiceReply:
    job = _read_json(response)
    if not isinstance(job.get("id"), str) or not isinstance(job.get("state"), str):
        raise ServiceError(f"the answer is no job: {response.text[:200]}")
    # Where the service had no room to let us wait it answers at once, and says when to come back.
    pause = 0.0 if "Preference-Applied" in response.headers else _retry_after(response)
    return ServiceReply(job=job, pause=pause)


def _retry_after(response: requests.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else _PAUSE_SECONDS


def _read_json(response: requests.Response) -> dict[str, Any]:
    try:
        value = json.loads(response.content)
    except ValueError as error:
        raise ServiceError(f"{response.url} answered with no JSON: {error}") from error
    if not isinstance(value, dict):
        raise ServiceError(f"{response.url} answered with no JSON object")
    return value


def _error(response: requests.Response, call: str) -> GridwellError:
    """The error that a response which is not a success stands for."""
    try:
        problem = _read_json(response)
    except ServiceError:
        problem = {}  # somebody between us and the service answered: the status must do
    detail = f"{call}: {response.status_code} {problem.get('detail', response.reason)}"
    if response.status_code in _BUSY:
        return ServiceBusy(detail)
    if response.status_code in _REFUSED:
        return RequestRefused(str(problem.get("code", f"http_{response.status_code}")), detail)
    return ServiceError(detail)
