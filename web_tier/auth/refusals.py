"""What those hear who are not let in."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from flask import request

from web_tier.problem_details import problem_response

if TYPE_CHECKING:
    from flask import Response

    from gridwell.access.keys import AccessKey, KeyState, Scope
    from gridwell.access.ports import ClientUsage
    from gridwell.access.session import SessionState
    from web_tier.request_limits import FramingError

_SHOWN: Final = 80  #: characters of a name that is not ours
_REALM: Final = 'Bearer realm="gridwell"'


class AccessRefused(Exception):  # noqa: N818 - it carries an answer, and nothing is broken
    """The request ends here, with this answer.

    Args:
        response: the answer.
        code: of the answer, by which the security log knows it.
        key_id: of the key that was presented.
        client: whose key that is, where that was proved.
        reason: more about it, for the security log.
    """

    def __init__(
        self,
        response: Response,
        *,
        code: str = "",
        key_id: str = "",
        client: str = "",
        reason: str = "",
    ) -> None:
        self.response = response
        self.code = code
        self.key_id = key_id
        self.client = client
        self.reason = reason
        super().__init__(response.status)


def key_missing() -> AccessRefused:
    """Nobody said who they are."""
    return _unauthorized(
        "this needs a key; send it as `Authorization: Bearer gw_…`, or log in at /login",
        code="key_missing",
        challenge=_REALM,
    )


def key_wrong(key_id: str = "") -> AccessRefused:
    """What was shown opens nothing."""
    return _unauthorized(
        "the key is not one of ours; check that all of it is there, or ask the operator for one",
        code="key_wrong",
        key_id=key_id,
    )


def key_over(key: AccessKey, state: KeyState) -> AccessRefused:
    """It did once, and no longer does."""
    return _unauthorized(
        f"the key {key.id} is {state}; ask the operator for another one",
        code=f"key_{state}",
        key_id=key.id,
        client=key.client,
    )


def session_over(key: AccessKey, state: SessionState) -> AccessRefused:
    """A browser's session is no longer open."""
    return _unauthorized(
        f"the session is {state}; log in again at /login",
        code=f"session_{state}",
        key_id=key.id,
        client=key.client,
        reason=state,
    )


def scope_missing(key: AccessKey, scope: Scope) -> AccessRefused:
    """It opens other routes."""
    return AccessRefused(
        problem_response(
            HTTPStatus.FORBIDDEN,
            f"the key {key.id} allows {', '.join(sorted(key.scopes))}, and this needs {scope}; "
            "ask the operator for one that allows it",
            code="scope_missing",
            headers={"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{scope}"'},
        ),
        code="scope_missing",
        key_id=key.id,
        client=key.client,
        reason=f"needs {scope}, has {','.join(sorted(key.scopes))}",
    )


def cross_site() -> AccessRefused:
    """A page of somebody else's asks in a caller's name."""
    return AccessRefused(
        problem_response(
            HTTPStatus.FORBIDDEN,
            "a page of another site made this request; use a page of this service",
            code="cross_site",
        ),
        code="cross_site",
        reason=f"from {request.headers.get('Origin', 'an unnamed origin')}",
    )


def unknown_host(host: str) -> AccessRefused:
    """Somebody asks for a server of another name: a page that rebinds its own, perhaps."""
    return AccessRefused(
        problem_response(
            HTTPStatus.MISDIRECTED_REQUEST,
            f"this server does not go by the name {host[:_SHOWN]!r}; ask for it by 127.0.0.1 or "
            "localhost, or name it in GRIDWELL_HOSTS if that is its name",
            code="unknown_host",
        ),
        code="unknown_host",
        reason=f"asked for {host}",
    )


def body_too_large(refusal: FramingError) -> AccessRefused:
    """Refuse a request whose body is longer than its route takes."""
    return AccessRefused(problem_response(refusal.status, refusal.detail, code=refusal.code))


def unsupported_media_type(mimetype: str, remedy: str) -> AccessRefused:
    """Refuse a request whose body is of a media type that its route does not read."""
    return AccessRefused(
        problem_response(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the body is {mimetype[:_SHOWN] or 'of no stated type'}; {remedy}",
            code="unsupported_media_type",
        )
    )


def unsupported_content_encoding(encoding: str) -> AccessRefused:
    """Refuse a body that is encoded: a small one that unfolds to a huge one is no way in."""
    return AccessRefused(
        problem_response(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the body is encoded as {encoding[:_SHOWN]}; send it plain, without Content-Encoding",
            code="unsupported_content_encoding",
            headers={"Accept-Encoding": "identity"},
        )
    )


def malformed_host(host: str) -> AccessRefused:
    """Refuse a request whose Host field is absent or malformed, or that names another target."""
    return AccessRefused(
        problem_response(
            HTTPStatus.BAD_REQUEST,
            f"the Host field {host[:_SHOWN]!r} is absent, malformed, or other than the host of the "
            "request's target; send one Host field with a name and at most a port",
            code="malformed_host",
        ),
        code="malformed_host",
        reason=f"asked for {host}",
    )


def too_many_failures(standing: ClientUsage, key_id: str = "") -> AccessRefused:
    """An address that showed wrong keys too often."""
    return _too_many(
        "too many wrong keys came from this address",
        standing,
        code="too_many_failures",
        key_id=key_id,
    )


def too_many_requests(kind: str, limit: str, standing: ClientUsage) -> AccessRefused:
    """A client that asks too often."""
    return _too_many(
        f"there were more {kind} than {limit.replace('/', ' per ')}",
        standing,
        code="too_many_requests",
        reason=f"more {kind} than {limit}",
    )


def _unauthorized(
    detail: str,
    *,
    code: str,
    challenge: str = f'{_REALM}, error="invalid_token"',
    key_id: str = "",
    client: str = "",
    reason: str = "",
) -> AccessRefused:
    headers = {"WWW-Authenticate": challenge}
    return AccessRefused(
        problem_response(HTTPStatus.UNAUTHORIZED, detail, code=code, headers=headers),
        code=code,
        key_id=key_id,
        client=client,
        reason=reason,
    )


def _too_many(
    words: str, standing: ClientUsage, *, code: str, key_id: str = "", reason: str = ""
) -> AccessRefused:
    return AccessRefused(
        problem_response(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"{words}; try again after the seconds of Retry-After",
            code=code,
            headers={"Retry-After": str(standing.reset)},
        ),
        code=code,
        key_id=key_id,
        reason=reason,
    )
