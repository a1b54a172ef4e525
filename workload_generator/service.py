"""The service as a client sees it over HTTP."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from urllib3.util import Retry

from gridwell.client.errors import KeyRefused, NoSuchJob
from gridwell.client.fleet import FleetStatus
from gridwell.client.transport import ASKS_TO_RETRY, Transport
from gridwell.engine.errors import (
    GridwellError,
    InvalidJob,
    InvalidMessage,
    ServiceError,
    WrongState,
)

if TYPE_CHECKING:
    import requests
    from numpy.typing import NDArray

_CONNECT_TRIES: Final = 8  #: a quarter of a minute: the service may be restarting
_READ_TRIES: Final = 2
_PAUSE_SECONDS: Final = 1.0
_REFUSALS: Final = (InvalidJob, KeyRefused, NoSuchJob, WrongState)


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
    """The calls of the generator, each of which may be repeated.

    Connection errors, 429 and 503 are tried again, after the seconds of Retry-After however long
    they are: a POST too, since the same request joins the same job.

    Args:
        url: of the service, without a path.
        key: sent with every request, where the service asks for one.
        tries: how often a call is made again at most; fewer times if nothing answers at all.

    Raises:
        ValueError: if the URL or the key cannot be one, or may not be sent there.
    """

    def __init__(self, url: str, *, key: str | None = None, tries: int = 30) -> None:
        retry = Retry(
            total=tries,
            connect=min(tries, _CONNECT_TRIES),
            read=min(tries, _READ_TRIES),
            status_forcelist=ASKS_TO_RETRY,
            allowed_methods=None,  # every method: each call here may be repeated
            backoff_factor=0.1,
            backoff_max=5,
            raise_on_status=False,
        )
        self._transport = Transport(url, retries=tries, key=key, retry=retry)

    def __enter__(self) -> Self:
        """Return the service itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections of every thread."""
        self._transport.close()

    def check(self) -> None:
        """Return if the service answers.

        Raises:
            ServiceError: if it does not.
        """
        self._call("GET", "/healthz")

    def submit(self, body: dict[str, Any], *, wait: int) -> ServiceReply:
        """Post a job and wait up to `wait` seconds for its end.

        Raises:
            RequestRefused: if the service does not take it.
            ServiceError: if there is no answer.
        """
        return _reply(self._call("POST", "/v1/jobs", wait=wait, body=body))

    def read(self, job: str, *, wait: int) -> ServiceReply:
        """Read a job and wait up to `wait` seconds for its end; raises as `submit` does."""
        return _reply(self._call("GET", f"/v1/jobs/{job}", wait=wait))

    def atoms(self, job: str) -> NDArray[np.float64]:
        """Return a job's atoms, of shape (N, 4); raises as `submit` does."""
        response = self._call("GET", f"/v1/jobs/{job}/atoms", accept="application/x-npy")
        try:
            # ascontiguousarray: the service writes little-endian, whatever machine this is.
            return np.ascontiguousarray(
                np.load(io.BytesIO(response.content), allow_pickle=False), dtype=np.float64
            )
        except ValueError as error:
            raise ServiceError(f"the atoms of job {job} are no .npy file: {error}") from error

    def record(self, job: str) -> dict[str, Any]:
        """Return a job's record; raises as `submit` does."""
        return _read_json(self._call("GET", f"/v1/jobs/{job}/record"))

    def fleet(self) -> FleetStatus:
        """Return the fleet; raises as `submit` does."""
        fields = _read_json(self._call("GET", "/v1/fleet"))
        try:
            return FleetStatus.decode(fields)
        except InvalidMessage as error:
            raise ServiceError(str(error)) from error

    def _call(
        self,
        method: str,
        path: str,
        *,
        wait: int = 0,
        accept: str = "application/json",
        body: Any = None,
    ) -> requests.Response:
        headers = {"Accept": accept} | ({"Prefer": f"wait={wait}"} if wait else {})
        try:
            return self._transport.call(method, path, headers=headers, body=body, wait=wait)
        except _REFUSALS as error:
            code = "no_such_job" if isinstance(error, NoSuchJob) else error.code
            raise RequestRefused(code, f"{method} {path}: {error}") from error
        except InvalidMessage as error:
            raise ServiceError(f"{method} {path}: {error}") from error


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
