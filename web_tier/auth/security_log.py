"""Security log: one structured line for each accepted or refused action of a caller."""

from __future__ import annotations

import enum
import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from flask import current_app, g, has_request_context, request

from gridwell.access.addresses import network_of
from gridwell.engine.job import PUBLIC_CLIENT
from gridwell.engine.job_events import EventKind
from web_tier.auth.caller import caller
from web_tier.auth.log_sampling import Sampler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask

    from gridwell.engine.job import Job
    from gridwell.engine.job_events import JobEvent
    from gridwell.engine.ports import Clock
    from web_tier.auth.refusals import AccessRefused

logger = logging.getLogger(__name__)

_LOG: Final = "gridwell_security_log"
_LONGEST: Final = 120  #: characters of what a caller chose


class Event(enum.StrEnum):
    """Kinds of events; each value is the `action` of a line."""

    KEY_ACCEPTED = "access.key_accepted"
    KEY_MISSING = "access.key_missing"
    KEY_WRONG = "access.key_wrong"
    KEY_EXPIRED = "access.key_expired"
    KEY_REVOKED = "access.key_revoked"
    SESSION_OVER = "access.session_over"  #: ended, expired or idle: see `reason`
    SCOPE_MISSING = "access.scope_missing"
    NOT_OWNER = "access.not_owner"  #: the 404 of a job that another client has
    CROSS_SITE = "access.cross_site"
    UNKNOWN_HOST = "access.unknown_host"
    TOO_MANY_FAILURES = "access.too_many_failures"
    TOO_MANY_REQUESTS = "access.too_many_requests"
    OVER_QUOTA = "access.over_quota"
    LOGIN = "access.login"
    LOGOUT = "access.logout"
    INSTANCE_KILLED = "access.instance_killed"
    JOB_ACCEPTED = "job.accepted"
    JOB_CANCELLED = "job.cancelled"


_MESSAGES: Final = {
    Event.KEY_ACCEPTED: "a key was accepted",
    Event.KEY_MISSING: "a request without a key was refused",
    Event.KEY_WRONG: "a wrong key or session was refused",
    Event.KEY_EXPIRED: "an expired key was refused",
    Event.KEY_REVOKED: "a revoked key was refused",
    Event.SESSION_OVER: "a session that is over was refused",
    Event.SCOPE_MISSING: "a key without the scope was refused",
    Event.NOT_OWNER: "a job of another client was asked for",
    Event.CROSS_SITE: "a request by another site's page was refused",
    Event.UNKNOWN_HOST: "a request for another host name was refused",
    Event.TOO_MANY_FAILURES: "a wrong key was refused after many others",
    Event.TOO_MANY_REQUESTS: "a request over the rate limit was refused",
    Event.OVER_QUOTA: "a job over the quota was refused",
    Event.LOGIN: "a session was opened",
    Event.LOGOUT: "a session was ended",
    Event.INSTANCE_KILLED: "an instance was killed on request",
    Event.JOB_ACCEPTED: "a job was accepted",
    Event.JOB_CANCELLED: "a job was cancelled",
}
#: Written each time: limited by rates, or by what callers can do at all.
_ALWAYS: Final = frozenset(
    {
        Event.KEY_ACCEPTED,
        Event.LOGIN,
        Event.LOGOUT,
        Event.INSTANCE_KILLED,
        Event.JOB_ACCEPTED,
        Event.JOB_CANCELLED,
    }
)
_ROUTINE: Final = _ALWAYS | {Event.KEY_MISSING}  #: the others are warnings
#: Codes of refusals that are events of another name.
_OF_CODE: Final = {
    "session_ended": Event.SESSION_OVER,
    "session_expired": Event.SESSION_OVER,
    "session_idle": Event.SESSION_OVER,
    "malformed_host": Event.UNKNOWN_HOST,
}


class SecurityLog:
    """Log of events, with equal ones as a count.  Safe to share between threads.

    Args:
        clock: measures how long equal events are counted together.
        everybody: the client of callers without a key; empty where each caller needs a key.
    """

    def __init__(self, clock: Clock, *, everybody: str) -> None:
        self._clock = clock
        self.everybody = everybody
        self._sampler = Sampler()
        self._lock = threading.Lock()

    def write(self, event: Event, subject: str, fields: dict[str, Any]) -> None:
        """Write an event, or count it.

        Args:
            event: what happened.
            subject: who caused it.
            fields: of the line; none may be a secret.
        """
        if event in _ALWAYS:
            _write(event, fields, 1)
            return
        with self._lock:
            lines = self._sampler.note(event, subject, fields, now=self._clock.monotonic())
        for line in lines:
            _write(Event(line.event), line.fields, line.count)


def install(app: Flask, clock: Clock, *, is_open: bool) -> None:
    """Give an application a security log."""
    app.extensions[_LOG] = SecurityLog(clock, everybody=PUBLIC_CLIENT if is_open else "")


def note(
    event: Event, *, key_id: str = "", client: str = "", reason: str = "", job: str = ""
) -> None:
    """Note an event of the current request.

    Args:
        event: what happened.
        key_id: the presented id, where the caller is not authenticated by it.
        client: the owner of that key, where the secret was right.
        reason: more about it; what a caller chose is cut.
        job: that it is about.
    """
    if not has_request_context() or _LOG not in current_app.extensions:
        return
    log: SecurityLog = current_app.extensions[_LOG]
    known, rule = caller(), request.url_rule
    address = request.remote_addr or ""
    fields = {
        "client": client or (log.everybody if known.key is None else known.client),
        "key": key_id if known.key is None else known.key.id,
        "address": address,
        "request": g.get("request_id", ""),
        "route": f"{request.method} {'-' if rule is None else rule.rule}",
        "job": job,
        "reason": reason[:_LONGEST],
    }
    # An id that is only claimed is no subject: callers can make up any number of them.
    subject = network_of(address) if known.key is None else known.key.id
    log.write(event, subject, {name: value for name, value in fields.items() if value})


def note_refusal(refused: AccessRefused) -> None:
    """Note that a request was refused; some codes are no event."""
    event = _OF_CODE.get(refused.code)
    if event is None and f"access.{refused.code}" in set(Event):
        event = Event(f"access.{refused.code}")
    if event is not None:
        note(event, key_id=refused.key_id, client=refused.client, reason=refused.reason)


def note_job(event: JobEvent) -> None:
    """Note that a job was accepted or cancelled."""
    if event.kind is EventKind.ACCEPTED:
        note(Event.JOB_ACCEPTED, job=event.job.id)
    elif event.kind is EventKind.CANCELLED:
        note(Event.JOB_CANCELLED, job=event.job.id)


def note_foreign(job: Job) -> None:
    """Note that a client asked for a job of another one."""
    note(Event.NOT_OWNER, job=job.id)


def _write(event: Event, fields: Mapping[str, Any], count: int) -> None:
    # A count may be written while another caller's request is served: it is of none of them.
    own = {"client": "", "request": "", **fields}
    if count > 1:
        own |= {"request": "", "count": count}
    shown = " ".join(f"{name}={_shown(str(value))}" for name, value in own.items() if value)
    level = logging.INFO if event in _ROUTINE else logging.WARNING
    logger.log(level, "%s: %s", _MESSAGES[event], shown, extra={"action": event.value, **own})


def _shown(value: str) -> str:
    """Return a value in printable ASCII, quoted where it has spaces."""
    quoted = ascii(value)
    return quoted if " " in value else quoted[1:-1]
