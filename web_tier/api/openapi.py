"""The OpenAPI document: the routes of jobs and the fleet, and the schemas that kinds bring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import models_json_schema

from gridwell.engine.limits import MAX_BODY_BYTES
from web_tier.api.models import (
    ANY_JOB,
    FleetShown,
    Health,
    JobPage,
    PlainJobShown,
    ReadinessShown,
)
from web_tier.api.negotiation import MAX_WAIT_SECONDS
from web_tier.problem_details import ProblemDetails

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from web_tier.kind import WebKind

_MODELS: Final[tuple[type[BaseModel], ...]] = (
    JobPage,
    PlainJobShown,
    FleetShown,
    Health,
    ReadinessShown,
    ProblemDetails,
)
_SCHEMAS: Final = "#/components/schemas/"
#: The component that stands for a request of any kind.
_ANY_REQUEST: Final = {"$ref": f"{_SCHEMAS}Request"}


def json_content(model: type[BaseModel], description: str) -> dict[str, Any]:
    """Return a response with the JSON of a model."""
    schema = {"$ref": f"{_SCHEMAS}{model.__name__}"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _any_job(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": ANY_JOB}}}


def problem(description: str) -> dict[str, Any]:
    """Return a response of problem details."""
    schema = {"$ref": f"{_SCHEMAS}{ProblemDetails.__name__}"}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


_ETAG: Final[dict[str, Any]] = {
    "ETag": {
        "required": True,
        "schema": {"type": "string"},
        "description": "names these bytes, for If-None-Match",
    }
}
#: Of what a client may have already; `complete` adds the header of the request.
KNOWN: Final[dict[int, Any]] = {
    304: {"description": "It is the one of If-None-Match.", "headers": _ETAG},
    412: problem("It is not the one of If-Match."),
}
NO_JOB: Final = problem("There is no such job, or it has expired.")
BUSY: Final = problem("Try again after the seconds of Retry-After: no request is lost by it.") | {
    "headers": {
        "Retry-After": {"required": True, "schema": {"type": "integer"}, "description": "seconds"}
    }
}

SUBMIT: Final[dict[str, Any]] = {
    "summary": "Submit a job",
    "tags": ["Jobs"],
    "description": "The same question again is the same job, so a request may be repeated freely.",
    "responses": {
        200: _any_job("The job has ended: the answer was known, or came while waiting."),
        202: _any_job("The job is accepted; ask for it at the address in Location."),
        400: problem("The body is not JSON."),
        408: problem("The request did not come within its time."),
        413: problem(f"The body is larger than {MAX_BODY_BYTES} bytes."),
        415: problem("The body is not of type application/json, or it is encoded."),
        422: problem("Faults of the request, each with a JSON pointer."),
        503: BUSY,
    },
}
LIST: Final[dict[str, Any]] = {
    "summary": "List recent jobs",
    "tags": ["Jobs"],
    "responses": {
        **KNOWN,
        200: json_content(JobPage, "A page of jobs, the newest first."),
        422: problem("The limit or the cursor cannot be used."),
        503: BUSY,
    },
}
READ: Final[dict[str, Any]] = {
    "summary": "Read a job",
    "tags": ["Jobs"],
    "description": "A done one may be kept for an hour. With `Prefer: wait` and If-None-Match the "
    "wait comes first: 304 says that the job is still as it was.",
    "responses": {**KNOWN, 200: _any_job("The job."), 404: NO_JOB, 503: BUSY},
}
_EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "event": {"type": "string", "enum": ["progress", "end"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "retry": {"type": "integer"},
    },
}
EVENTS: Final[dict[str, Any]] = {
    "summary": "Follow a job",
    "tags": ["Jobs"],
    "description": "Server-sent events: `progress` with each step, ten a second at most, and `end` "
    "as the last. Their data is an object with state and, of a search on a grid, points_done, "
    "points_total, finished, the numbers of the chunks that are done, and series: null, or an "
    "object with count and found, how many of its points are; of any other kind tasks_done and "
    "tasks_total. A stream lasts ten minutes; Last-Event-ID continues it.",
    "responses": {
        200: {
            "description": "The events.",
            "content": {"text/event-stream": {"schema": _EVENT}},
        },
        404: NO_JOB,
        503: problem("As many streams are open as this process serves, or try again later."),
    },
}
CANCEL: Final[dict[str, Any]] = {
    "summary": "Cancel a job",
    "tags": ["Jobs"],
    "description": "Whoever waits for it is answered at once, and workers stop computing it within "
    "seconds. Submitted again, it begins anew.",
    "responses": {
        204: {"description": "The job is cancelled, by this request or an earlier one."},
        404: NO_JOB,
        409: problem("The job has ended already: it is done, or failed."),
        503: BUSY,
    },
}
FLEET: Final[dict[str, Any]] = {
    "summary": "Look at the fleet",
    "tags": ["Fleet"],
    "responses": {**KNOWN, 200: json_content(FleetShown, "The fleet."), 503: BUSY},
}
HEALTH: Final[dict[str, Any]] = {
    "summary": "Ask whether this process answers",
    "tags": ["Fleet"],
    "responses": {200: json_content(Health, "It does.")},
}
READY: Final[dict[str, Any]] = {
    "summary": "Ask whether this process can serve",
    "tags": ["Fleet"],
    "description": "Ledger, store and queue answer. What was seen counts for five seconds.",
    "responses": {
        200: json_content(ReadinessShown, "It can."),
        503: problem("It cannot: the detail says why."),
    },
}
METRICS: Final[dict[str, Any]] = {
    "summary": "Read what this process counts",
    "tags": ["Fleet"],
    "responses": {
        200: {
            "description": "In Prometheus's text format.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
}

_IF_NONE_MATCH: Final[dict[str, Any]] = {
    "name": "If-None-Match",
    "in": "header",
    "schema": {"type": "string", "examples": ['"0123456789abcdef"']},
    "description": "the ETag that the client has: the answer is 304 if it would be the same",
}
PREFER: Final[dict[str, Any]] = {
    "name": "Prefer",
    "in": "header",
    "schema": {"type": "string", "examples": ["wait=30"]},
    "description": "wait=N waits up to N seconds for the job's end, at most "
    f"{MAX_WAIT_SECONDS} (RFC 7240); a preference that cannot be read is ignored",
}
_PAGING: Final[list[dict[str, Any]]] = [
    {
        "name": "limit",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
        "description": "how many jobs, at most",
    },
    {
        "name": "cursor",
        "in": "query",
        "schema": {"type": "string"},
        "description": "of the page before: where this one goes on",
    },
]


def link(end: str) -> dict[str, Any]:
    """Return a link from a submission to a route below its job.

    Args:
        end: of the route's path, such as `/atoms`.
    """
    return {
        "operationRef": f"#/paths/~1v1~1jobs~1{{job_id}}{end.replace('/', '~1')}/get",
        "parameters": {"job_id": "$response.body#/id"},
    }


def complete(spec: dict[str, Any], kinds: Mapping[str, WebKind]) -> dict[str, Any]:
    """Add to a generated description what the framework cannot see.

    Bodies are read by our own code, to report all their faults with pointers, so the framework
    knows of no models.

    Args:
        spec: the description, which is changed.
        kinds: of work, by name.
    """
    own = list(dict.fromkeys(kinds.values()))
    shown = [kind.presenter.model for kind in own if kind.presenter is not None]
    shown.append(PlainJobShown)
    requests = [kind.request for kind in own]
    others = [*_MODELS, *shown, *(model for kind in own for model in kind.models)]
    _, schemas = models_json_schema(
        [(model, "validation") for model in requests]
        + [(model, "serialization") for model in dict.fromkeys(others)],
        ref_template=_SCHEMAS + "{model}",
    )
    spec.setdefault("components", {})["schemas"] = schemas["$defs"] | {
        "Job": _any_of(shown, "A job, in the shape of its kind."),
        "Request": _any_of(requests, "A request for a job."),
    }
    paths = spec["paths"]
    submit = paths["/v1/jobs"]["post"]
    submit["requestBody"] = {
        "required": True,
        "content": {
            "application/json": {
                "schema": _ANY_REQUEST,
                "examples": {
                    title: {"value": dict(value)}
                    for kind in own
                    for title, value in kind.examples.items()
                },
            }
        },
    }
    submit.setdefault("parameters", []).append(PREFER)
    for status in ("200", "202"):
        submit["responses"][status]["links"] = {"job": link("")}
    paths["/v1/jobs/{job_id}"]["get"].setdefault("parameters", []).append(PREFER)
    paths["/v1/jobs"]["get"].setdefault("parameters", []).extend(_PAGING)
    for kind in own:
        if kind.presenter is not None:
            kind.presenter.document(spec)
    for path in paths.values():
        reading = path.get("get", {})
        if "304" in reading.get("responses", {}):
            reading.setdefault("parameters", []).append(_IF_NONE_MATCH)
            reading["responses"]["200"]["headers"] = _ETAG
    return spec


def _any_of(models: list[type[BaseModel]], description: str) -> dict[str, Any]:
    references = [{"$ref": f"{_SCHEMAS}{model.__name__}"} for model in models]
    return {"description": description, "anyOf": references}


def described_schemas(spec: dict[str, Any]) -> list[str]:
    """Return the names of the schemas of requests and jobs, each kind's."""
    schemas = spec["components"]["schemas"]
    references = [one["$ref"] for name in ("Request", "Job") for one in schemas[name]["anyOf"]]
    return [reference.removeprefix(_SCHEMAS) for reference in references]


def ordered(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a description in the order in which people read it: jobs first, then by status."""
    paths = sorted(
        spec["paths"].items(), key=lambda item: (not item[0].startswith("/v1/jobs"), item[0])
    )
    for _, path in paths:
        for operation in path.values():
            if "responses" in operation:
                by_status = sorted(operation["responses"].items(), key=lambda item: str(item[0]))
                operation["responses"] = dict(by_status)
    # Submitting comes before listing.
    spec["paths"] = {name: dict(sorted(path.items(), reverse=True)) for name, path in paths}
    return spec
