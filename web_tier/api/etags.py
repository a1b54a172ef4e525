"""What a client may keep of an answer, and that it is not sent again what it has (RFC 9110, 9111).

Routes look their job up first: whoever may not see it hears 404, whatever ETag it guessed.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from flask import Response, request

from gridwell.engine.job import JobState
from web_tier.problem_details import problem_response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gridwell.engine.job import Job

#: By the client itself, who asks each time whether it has changed.  Never by a cache that many
#: share: it must not give one client's answers to another.
ASK_AGAIN: Final = "private, no-cache"
_KEPT_SECONDS: Final = 3600  #: of what cannot change: so long an earlier release may be seen


def kept(job: Job, now: float) -> str:
    """How long what is shown of a job may be kept, as Cache-Control.

    A done job stays as it is until it expires.  All others may change: a failed or cancelled one
    begins anew when it is submitted again.
    """
    if job.state is not JobState.DONE:
        return ASK_AGAIN
    left = _KEPT_SECONDS if job.expires is None else min(_KEPT_SECONDS, int(job.expires - now))
    return f"private, max-age={left}" if left > 0 else ASK_AGAIN


def tagged(response: Response, cache: str) -> Response:
    """An answer that is made already, or that the client has it: its ETag is its bytes' hash.

    Args:
        response: a whole one.
        cache: its Cache-Control.
    """
    response.headers["Cache-Control"] = cache
    response.add_etag()
    return _settled(response)


def unless_known(
    etag: str, headers: Mapping[str, str], make: Callable[[Mapping[str, str]], Response]
) -> Response:
    """An answer that is made only if the client does not have it.

    Args:
        etag: of the answer's bytes, known before they are.
        headers: of the answer.
        make: gives it, with these headers and the ETag.
    """
    headers = {**headers, "ETag": f'"{etag}"'}
    known = _settled(Response(headers=headers))
    return make(headers) if known.status_code == HTTPStatus.OK else known


def _settled(response: Response) -> Response:
    response.make_conditional(request.environ)
    del response.headers["Date"]  # the server says it
    if response.status_code == HTTPStatus.PRECONDITION_FAILED:
        return problem_response(
            HTTPStatus.PRECONDITION_FAILED,
            f"its ETag is {response.headers['ETag']} and not one of If-Match; leave that out, or "
            "use the present one",
            code="precondition_failed",
            headers={"ETag": response.headers["ETag"]},
        )
    return response
