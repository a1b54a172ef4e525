"""The service, as a Python object."""

from __future__ import annotations

import itertools
import math
import os
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, Unpack, cast, overload
from urllib.parse import urlencode

from gridwell.client.errors import NoSuchJob
from gridwell.client.fleet import FleetStatus
from gridwell.client.grid.job import GridJob
from gridwell.client.grid.request import JobRequest, request_body
from gridwell.client.grid.status import GridStatus
from gridwell.client.job import LONGEST_WAIT_SECONDS, Job
from gridwell.client.status import JobStatus, decoded
from gridwell.client.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_URL: Final = "http://127.0.0.1:8080"
URL_VARIABLE: Final = "GRIDWELL_URL"
KEY_VARIABLE: Final = "GRIDWELL_KEY"
_RETRIES: Final = 4
_PAGE: Final = 100
_JOB_ID: Final = re.compile(r"[0-9a-f]{32}")


class Client:
    """A Gridwell service.  May be used from several threads.

    Any call may raise `ServiceError`, of which `Unreachable`, `ServiceBusy` and `ServiceDenied`
    are kinds.

    Args:
        url: where it is, such as `http://127.0.0.1:8080`; without it, where `GRIDWELL_URL` says,
            and on this machine if it says nothing.
        key: by which the service knows you, where it asks for one; without a URL and a key, the
            one in `GRIDWELL_KEY`.
        retries: further tries after a lost connection, or where the service asks for them.
        allow_http: whether the key may go over http:// to another machine, where others may read
            it on its way; without it, if `GRIDWELL_ALLOW_HTTP` is 1.

    Raises:
        ValueError: if the URL or the key cannot be one, or the key may not be sent there.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        retries: int = _RETRIES,
        allow_http: bool | None = None,
    ) -> None:
        if url is None:
            # The key of the environment is for the service of the environment and for no other.
            url = os.environ.get(URL_VARIABLE) or DEFAULT_URL
            key = os.environ.get(KEY_VARIABLE) or None if key is None else key
        self._transport = Transport(url, retries=retries, key=key, allow_http=allow_http)

    def __repr__(self) -> str:
        return f"<Client {self.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The service's address."""
        return self._transport.url

    @overload
    def submit(self, *, wait: float = 0, **request: Unpack[JobRequest]) -> GridJob: ...

    @overload
    def submit(self, *, kind: str, wait: float = 0, **request: Any) -> Job[JobStatus]: ...

    def submit(self, *, kind: str | None = None, wait: float = 0, **request: Any) -> Job[Any]:
        """Submit a job and return it; an equal request joins the same job.

        Args:
            kind: of work; without it a search on a grid.
            wait: seconds, at most 30, that the service may hold the request until the job ends.
            **request: the fields of `JobRequest`, or those of the kind.

        Raises:
            InvalidJob: with all that is wrong with the request.
        """
        seconds = min(math.ceil(wait), LONGEST_WAIT_SECONDS)  # the header knows whole ones alone
        headers = {"Prefer": f"wait={seconds}"} if seconds > 0 else {}
        body = request_body(cast("JobRequest", request))
        if kind is not None:
            body["kind"] = kind
        fields = self._transport.json("POST", "/v1/jobs", headers=headers, body=body, wait=seconds)
        return self._job(fields)

    def job(self, job_id: str) -> Job[Any]:
        """Return a job by its id.

        Raises:
            NoSuchJob: if there is none, it has expired, or that is no id.
        """
        if not isinstance(job_id, str) or not _JOB_ID.fullmatch(job_id):
            raise NoSuchJob(f"{job_id!r} is not the id of a job, which is 32 hex digits")
        return self._job(self._transport.json("GET", f"/v1/jobs/{job_id}"))

    def jobs(self, limit: int | None = None) -> Iterator[Job[Any]]:
        """Return jobs, the newest first, read page by page as they are iterated over.

        Args:
            limit: at most so many.

        Raises:
            ValueError: if that is no number of jobs.
        """
        if limit is not None and (not isinstance(limit, int) or limit < 0):
            raise ValueError(f"limit is {limit!r}; give a whole number of jobs, 0 or more, or None")
        return itertools.islice(self._all_jobs(limit), limit)

    def fleet(self) -> FleetStatus:
        """Return the fleet as the autoscaler last wrote it."""
        return FleetStatus.decode(self._transport.json("GET", "/v1/fleet"))

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _job(self, fields: Any) -> Job[Any]:
        """Return a job in the class of its kind: the grid kinds' JSON names none."""
        if isinstance(fields, dict) and "kind" in fields:
            return Job(self._transport, JobStatus.decode(fields))
        return GridJob(self._transport, GridStatus.decode(fields))

    def _all_jobs(self, limit: int | None) -> Iterator[Job[Any]]:
        query: dict[str, Any] = {"limit": max(1, min(limit or _PAGE, _PAGE))}
        while True:
            page = self._transport.json("GET", f"/v1/jobs?{urlencode(query)}")
            jobs, query["cursor"] = decoded("a page of jobs", partial(_page, page))
            for fields in jobs:
                yield self._job(fields)
            if not query["cursor"]:
                return


def _page(fields: dict[str, Any]) -> tuple[list[Any], str | None]:
    return list(fields["jobs"]), fields["cursor"]
