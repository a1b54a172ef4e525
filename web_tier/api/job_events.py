"""A job as server-sent events."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from apiflask import APIBlueprint
from flask import Response, request

from web_tier.api import openapi
from web_tier.api.present import show_step
from web_tier.api.responses import NO_STORE, find_job, no_such_job
from web_tier.auth.authenticate import is_still_accepted
from web_tier.auth.caller import caller
from web_tier.auth.owners import owner
from web_tier.dependencies import current
from web_tier.problem_details import problem_response, retry_after
from web_tier.waiting.event_stream import stream
from web_tier.waiting.watcher import OwnedWatcher

if TYPE_CHECKING:
    from web_tier.auth.caller import Caller
    from web_tier.dependencies import Dependencies

routes = APIBlueprint("events", __name__)


@routes.get("/v1/jobs/<job_id>/events")
@routes.doc(**openapi.EVENTS)
def events(job_id: str) -> Response:
    """Each step of a job, until it ends."""
    job = find_job(job_id)
    if job is None:
        return no_such_job(job_id)
    parts = current()
    watcher = OwnedWatcher(parts.watcher, owner())
    ticket = None if job.state.terminal else watcher.follow(job)
    if ticket is None and not job.state.terminal:
        return problem_response(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "as many streams are open as this process serves; ask for the job itself now and then",
            code="too_many_streams",
            headers={"Retry-After": retry_after()},
        )
    told = stream(
        job,
        ticket,
        seen=request.headers.get("Last-Event-ID"),
        watcher=watcher,
        clock=parts.clock,
        read=parts.service.read,
        is_allowed=partial(_is_allowed, caller(), parts),
        show=partial(show_step, kinds=parts.kinds),
    )
    # Proxies that buffer would hold the events back.
    headers = {**NO_STORE, "X-Accel-Buffering": "no"}
    response = Response(told, headers=headers, content_type="text/event-stream; charset=utf-8")
    if ticket is not None:  # also of a client that was gone before the first event
        response.call_on_close(partial(watcher.leave, ticket))
    return response


def _is_allowed(who: Caller, parts: Dependencies) -> bool:
    """Return whether a stream's caller would be let in again, by a new read of key or session."""
    keyring = parts.access.keyring
    return keyring is None or is_still_accepted(who, keyring, now=parts.clock.now())
