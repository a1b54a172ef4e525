"""Responses to requests that are refused."""

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


class AccessRefused(Exception):  # noqa: N818 - it carries a response, and nothing is broken
    """Refusal of a request, with its response.

    Args:
        response: the response.
        code: of the response, which selects the security log's event.
        key_id: of the key that was presented.
        client: owner of that key, where the secret was right.
        reason: further details for the security log.
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
    """Refuse a request without a key."""
    return _unauthorized(
        "this needs a key; send it as `Authorization: Bearer gw_…`, or log in at /login",
        code="key_missing",
        challenge=_REALM,
    )


def key_wrong(key_id: str = "") -> AccessRefused:
    """Refuse a key that does not exist, or whose secret is wrong."""
    return _unauthorized(
        "the key is not one of ours; check that all of it is there, or ask the operator for one",
        code="key_wrong",
        key_id=key_id,
    )


def key_over(key: AccessKey, state: KeyState) -> AccessRefused:
    """Refuse a key that is expired or revoked."""
    return _unauthorized(
        f"the key {key.id} is {state}; ask the operator for another one",
        code=f"key_{state}",
        key_id=key.id,
        client=key.client,
    )


def session_over(key: AccessKey, state: SessionState) -> AccessRefused:
    """Refuse a session that is no longer open."""
    return _unauthorized(
        f"the session is {state}; log in again at /login",
        code=f"session_{state}",
        key_id=key.id,
        client=key.client,
        reason=state,
    )


def scope_missing(key: AccessKey, scope: Scope) -> AccessRefused:
    """Refuse a key that lacks the scope of a route."""
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
    """Refuse a request that another site's page makes in a caller's name."""
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
    """Refuse a request for another host name, which may be a page's that rebinds its own."""
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
    """Refuse a body with a content encoding, as a small one could expand to a huge one."""
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
    """Refuse an address that has sent too many wrong keys."""
    return _too_many(
        "too many wrong keys came from this address",
        standing,
        code="too_many_failures",
        key_id=key_id,
    )


def too_many_requests(kind: str, limit: str, standing: ClientUsage) -> AccessRefused:
    """Refuse a client that has exceeded its rate."""
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
    cause: str, standing: ClientUsage, *, code: str, key_id: str = "", reason: str = ""
) -> AccessRefused:
    return AccessRefused(
        problem_response(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"{cause}; try again after the seconds of Retry-After",
            code=code,
            headers={"Retry-After": str(standing.reset)},
        ),
        code=code,
        key_id=key_id,
        reason=reason,
    )
