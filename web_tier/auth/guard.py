"""Checks before every route: authentication, authorization, rate limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlencode

from flask import Response, g, redirect, request

from gridwell.access.host_header import is_consistent, parse_host
from gridwell.engine import limits
from gridwell.engine.printable import redacted
from web_tier.auth import refusals, security_log
from web_tier.auth.authenticate import address, identify_caller
from web_tier.auth.cache_headers import protect
from web_tier.auth.caller import caller, set_caller
from web_tier.auth.cors import share
from web_tier.auth.csrf import is_foreign
from web_tier.auth.head_only import HEAD_ALONE, go_on
from web_tier.auth.host_check import is_ours
from web_tier.auth.proxies import trusting
from web_tier.auth.refusals import AccessRefused
from web_tier.auth.route_rules import (
    ANY_NAME,
    JSON,
    READS,
    body_limit,
    body_types,
    is_shared,
    rule_of,
)
from web_tier.auth.security_log import Event, note, note_refusal
from web_tier.problem_details import is_for_people
from web_tier.request_limits import too_large

if TYPE_CHECKING:
    from flask import Flask

    from gridwell.access.ports import ClientUsage
    from gridwell.engine.ports import Clock
    from web_tier.auth.caller import Caller
    from web_tier.auth.key_cache import KeyCache
    from web_tier.auth.policy import Access
    from web_tier.auth.route_rules import RouteKind, RouteRule

LOGIN: Final = "/login"
_COUNTED: Final = "gridwell_counted"


def install(app: Flask, access: Access, clock: Clock) -> None:
    """Apply the rules to each request of `app`, and log the requests that they refuse."""
    security_log.install(app, clock, is_open=access.keyring is None)

    def check() -> Response | None:
        try:
            owner = _check(access, clock)
            _check_body()
            if HEAD_ALONE in request.environ:
                _check_body_type()
                # Nothing is counted yet: the same request comes again, with its body.
                return None if request.routing_exception else go_on()
            _count(access, rule_of(request.endpoint), owner)
            _check_body_type()
        except AccessRefused as refused:
            note_refusal(refused)
            return refused.response
        return None

    def add_headers(response: Response) -> Response:
        share(response, with_keys=access.keyring is not None)
        return protect(_with_usage(response))

    if access.proxies:
        trusted = trusting(app.wsgi_app, access.proxies)
        app.wsgi_app = trusted  # type: ignore[method-assign]  # Flask's own way
    app.register_error_handler(AccessRefused, lambda refused: refused.response)
    app.before_request(check)
    app.after_request(add_headers)


def demand(access: Access, rule: RouteRule) -> None:
    """Apply a stricter rule than the route's, for a read that makes a job.

    Raises:
        AccessRefused: its key lacks the scope, another site's page sent it, or its client has used
            up its rate.
    """
    try:
        _check_origin("POST", access)
        key = caller().key
        if key is not None and not key.allows(rule.scope):
            raise refusals.scope_missing(key, rule.scope)
        _count(access, rule, address() if key is None else key.client)
    except AccessRefused as refused:
        note_refusal(refused)
        raise


def charge(access: Access, reads: int) -> None:
    """Count a request that costs more than a read as further reads.

    Raises:
        AccessRefused: the client has used up its rate of reads.
    """
    key = caller().key
    if not reads:
        return
    try:
        _count(access, READS, address() if key is None else key.client, cost=reads)
    except AccessRefused as refused:
        note_refusal(refused)
        raise


def _check_host(access: Access) -> None:
    host = request.headers.get("Host")
    restricted = access.hosts is not None and request.endpoint not in ANY_NAME
    if restricted and not is_ours(host, access.hosts or ()):
        raise refusals.unknown_host(host or "")
    if host is None and request.environ.get("SERVER_PROTOCOL") != "HTTP/1.0":
        raise refusals.malformed_host("")
    if host is not None and parse_host(host) is None:
        raise refusals.malformed_host(host)
    if not is_consistent(request.environ.get("RAW_URI") or "/", host):
        raise refusals.malformed_host(host or "")


def _check_body() -> None:
    """Refuse a body that is larger than its route takes; the HTTP server has done so before."""
    if request.routing_exception is not None:
        return
    limit = body_limit(request.endpoint, request.method)
    if (request.content_length or 0) > limit:
        raise refusals.body_too_large(too_large(limit))
    if limit < limits.MAX_BODY_BYTES:  # else as the application is set, with its own error
        request.max_content_length = limit


def _check_body_type() -> None:
    """Refuse a media type that the route does not read, by the header fields alone."""
    types = body_types(request.endpoint, request.method)
    if types is None:
        return
    is_sent = bool(request.content_length) or "Transfer-Encoding" in request.headers
    if request.mimetype not in types and (is_sent or types is JSON):
        remedy = "send JSON with Content-Type: application/json" if types is JSON else "send a form"
        raise refusals.unsupported_media_type(request.mimetype, remedy)
    encoding = request.content_encoding or "identity"
    if encoding.lower() != "identity":
        raise refusals.unsupported_content_encoding(encoding)


def _check_origin(method: str, access: Access) -> None:
    headers = request.headers
    if (
        access.keyring is not None
        and "Authorization" in headers
        and is_shared(request.endpoint, with_keys=True)
    ):
        # A page that sends a key acts for the user who gave it to the page.  Browsers add cookies
        # by themselves; this header they add only for a password, which this service never takes.
        return
    if is_foreign(
        method,
        site=headers.get("Sec-Fetch-Site"),
        origin=headers.get("Origin"),
        host=request.host,
    ):
        raise refusals.cross_site()


def _check(access: Access, clock: Clock) -> str:
    """Authorize a request and return the owner that it is counted for.

    Raises:
        AccessRefused: the caller may not make the request.
    """
    _check_host(access)
    _check_origin(request.method, access)
    rule = rule_of(request.endpoint)
    owner = address()
    # A browser's preflight request has no key, and its response reveals no job.
    if rule is None or access.keyring is None or request.method == "OPTIONS":
        return owner
    known = _caller(access, access.keyring, clock)
    set_caller(known)
    headers = request.headers
    access.credentials.remember(headers.get("Authorization"), headers.get("Cookie"), known.client)
    if known.key is not None and not known.key.allows(rule.scope):
        raise refusals.scope_missing(known.key, rule.scope)
    if known.key is not None and access.keyring.is_first_use(known.key.id):
        note(Event.KEY_ACCEPTED, reason="by a session" if known.session else "by its header")
    return known.client


def _caller(access: Access, keyring: KeyCache, clock: Clock) -> Caller:
    try:
        return identify_caller(access, keyring, now=clock.now())
    except AccessRefused as refused:
        if request.method != "GET" or not is_for_people():
            raise
        # A person logs in, and then returns to this page.  An address that contains a key is not
        # repeated.
        page = request.full_path.rstrip("?")
        query = urlencode({"next": page if redacted(page) == page else "/"})
        raise AccessRefused(
            cast("Response", redirect(f"{LOGIN}?{query}")),
            code=refused.code,
            key_id=refused.key_id,
            client=refused.client,
            reason=refused.reason,
        ) from refused


def _count(access: Access, rule: RouteRule | None, owner: str, cost: int = 1) -> None:
    limit = None if rule is None else access.limits.get(rule.kind)
    if rule is None or limit is None or request.method == "OPTIONS":
        return
    standing = access.rates.take(limit, rule.kind, owner, cost)
    setattr(g, _COUNTED, (rule.kind, standing))
    if not standing.within:
        raise refusals.too_many_requests(rule.kind, limit, standing)


def _with_usage(response: Response) -> Response:
    """Return the response with the caller's rate limit, and with `Vary` for caches."""
    if rule_of(request.endpoint) is not None:
        response.vary.update(("Authorization", "Cookie"))
    counted: tuple[RouteKind, ClientUsage] | None = getattr(g, _COUNTED, None)
    if counted is not None:
        kind, standing = counted
        response.headers["RateLimit-Policy"] = f'"{kind}";q={standing.limit};w={standing.window}'
        response.headers["RateLimit"] = f'"{kind}";r={standing.remaining};t={standing.reset}'
    return response
