"""What /openapi.json says of each route, made from the models that the routes use."""

from __future__ import annotations

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from gridwell.engine.limits import MAX_BODY_BYTES
from gridwell.kinds.grid import limits
from web_tier.api.models import (
    AtomsShown,
    FleetShown,
    Health,
    JobPage,
    JobRequest,
    JobShown,
    PointsShown,
    ReadinessShown,
)
from web_tier.api.negotiation import MAX_WAIT_SECONDS
from web_tier.problem_details import ProblemDetails

_MODELS: Final = (
    JobRequest,
    JobShown,
    JobPage,
    AtomsShown,
    FleetShown,
    Health,
    ReadinessShown,
    PointsShown,
    ProblemDetails,
)
_EXAMPLES: Final[dict[str, Any]] = {
    "drawn atoms": {
        "value": {"grid_size": 16, "atom_count": 500, "seed": 7, "energy_range": [-1, 1]}
    },
    "your own atoms": {
        "value": {
            "grid": {"origin": [0, 0, 0], "spacing": [0.5, 0.5, 0.5], "shape": [21, 21, 41]},
            "atoms": [[1.2, 3.4, 5.6, -1.0], [2.1, 4.3, 6.5, 0.5]],
            "min_distance": 1.0,
        }
    },
    "three points": {
        "value": {"grid_size": 16, "atom_count": 200, "seed": 3, "top": 3, "min_separation": 4}
    },
    "two sodium ions": {
        "value": {
            "grid": {"origin": [-5, -5, -5], "spacing": [0.5, 0.5, 0.5], "shape": [21, 21, 21]},
            "atoms": [[0, 0, 0, -1], [1.5, 0, 0, -1]],
            "place": {"count": 2, "energy": 1, "min_distance": 2.5, "min_separation": 3},
        }
    },
}


def _json(model: type, description: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def problem(description: str) -> dict[str, Any]:
    """A response of problem details."""
    schema = {"$ref": f"#/components/schemas/{ProblemDetails.__name__}"}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


_ETAG: Final[dict[str, Any]] = {
    "ETag": {
        "required": True,
        "schema": {"type": "string"},
        "description": "names these bytes, for If-None-Match",
    }
}
#: Of what a client may have already; `complete` adds the header of the request.
_KNOWN: Final[dict[int, Any]] = {
    304: {"description": "It is the one of If-None-Match.", "headers": _ETAG},
    412: problem("It is not the one of If-Match."),
}
_NO_JOB: Final = problem("There is no such job, or it has expired.")
_BUSY: Final = problem("Try again after the seconds of Retry-After: no request is lost by it.") | {
    "headers": {
        "Retry-After": {"required": True, "schema": {"type": "integer"}, "description": "seconds"}
    }
}

SUBMIT: Final[dict[str, Any]] = {
    "summary": "Submit a job",
    "tags": ["Jobs"],
    "description": "The same problem again is the same job, so a request may be repeated freely.",
    "responses": {
        200: _json(JobShown, "The job has ended: the answer was known, or came while waiting."),
        202: _json(JobShown, "The job is accepted; ask for it at the address in Location."),
        400: problem("The body is not JSON."),
        408: problem("The request did not come within its time."),
        413: problem(f"The body is larger than {MAX_BODY_BYTES} bytes."),
        415: problem("The body is not of type application/json, or it is encoded."),
        422: problem("Faults of the request, each with a JSON pointer."),
        503: _BUSY,
    },
}
LIST: Final[dict[str, Any]] = {
    "summary": "List recent jobs",
    "tags": ["Jobs"],
    "responses": {
        **_KNOWN,
        200: _json(JobPage, "A page of jobs, the newest first."),
        422: problem("The limit or the cursor cannot be used."),
        503: _BUSY,
    },
}
READ: Final[dict[str, Any]] = {
    "summary": "Read a job",
    "tags": ["Jobs"],
    "description": "A done one may be kept for an hour. With `Prefer: wait` and If-None-Match the "
    "wait comes first: 304 says that the job is still as it was.",
    "responses": {**_KNOWN, 200: _json(JobShown, "The job."), 404: _NO_JOB, 503: _BUSY},
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
    "as the last. Their data is an object with state, points_done, points_total, finished, the "
    "numbers of the chunks that are done, and series: null, or an object with count and found, how "
    "many of its points are. A stream lasts ten minutes; Last-Event-ID continues it.",
    "responses": {
        200: {
            "description": "The events.",
            "content": {"text/event-stream": {"schema": _EVENT}},
        },
        404: _NO_JOB,
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
        404: _NO_JOB,
        409: problem("The job has ended already: it is done, or failed."),
        503: _BUSY,
    },
}
ATOMS: Final[dict[str, Any]] = {
    "summary": "Read a job's atoms",
    "tags": ["Jobs"],
    "description": "They never change, so a client may keep them for ever.",
    "responses": {
        **_KNOWN,
        200: {
            "description": "The atoms.",
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/AtomsShown"}},
                "text/csv": {"schema": {"type": "string"}},
                "application/x-npy": {"schema": {"type": "string", "format": "binary"}},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            },
        },
        404: _NO_JOB,
        406: problem("Atoms do not come in a form that Accept allows."),
        410: problem("They are no longer kept."),
        503: _BUSY,
    },
}
RECORD: Final[dict[str, Any]] = {
    "summary": "Read a done job's record",
    "tags": ["Jobs"],
    "description": "Grid, atoms and result, by which anybody can check the answer.",
    "responses": {
        **_KNOWN,
        200: {
            "description": "The record.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        404: _NO_JOB,
        409: problem("The job is not done."),
        410: problem("It is no longer kept."),
        503: _BUSY,
    },
}
RESULT: Final[dict[str, Any]] = {
    "summary": "Read the points that a job found",
    "tags": ["Jobs"],
    "description": "With `top`, the first so many points, at `min_separation` from one another. "
    "Those that the job did not look for are looked for by another job, which this request submits "
    "or joins; a key then has to allow `submit`. HEAD submits "
    "nothing, and says 409 where GET would.",
    "responses": {
        **_KNOWN,
        200: _json(PointsShown, "The points."),
        202: _json(JobShown, "Another job looks for them; ask again, or follow Location."),
        404: _NO_JOB,
        409: problem("The job, or the one that looks for the points, is not done."),
        410: problem("Its atoms are no longer kept."),
        422: problem("The query cannot be used, or no worker would end in time."),
        503: _BUSY,
    },
}
POINTS_CSV: Final[dict[str, Any]] = {
    "summary": "Read the points as CSV",
    "tags": ["Jobs"],
    "description": "Those that the job found; of a job that was submitted with `keep_grid`, all of "
    "the grid's, written while they are read, in C order. A point without a value has an empty "
    "last field.",
    "responses": {
        **_KNOWN,
        200: {
            "description": "The points, with every bit, to store.",
            "content": {"text/csv": {"schema": {"type": "string"}}},
        },
        404: _NO_JOB,
        409: problem("The job is not done."),
        410: problem("The map is no longer kept."),
        503: _BUSY,
    },
}
IONS_PDB: Final[dict[str, Any]] = {
    "summary": "Read placed ions as PDB",
    "tags": ["Jobs"],
    "description": "HETATM records, NA or CL; coordinates have the three decimals of the format.",
    "responses": {
        **_KNOWN,
        200: {
            "description": "The ions, to store.",
            "content": {"chemical/x-pdb": {"schema": {"type": "string"}}},
        },
        404: _NO_JOB,
        409: problem("The job is not done, or it placed no ions."),
        422: problem("A coordinate does not fit into the columns of PDB."),
        503: _BUSY,
    },
}


def grid(name: str, content_type: str) -> dict[str, Any]:
    """A route to a kept map.

    Args:
        name: of the format.
        content_type: of the file.
    """
    return {
        "summary": f"Read a job's map as {name}",
        "tags": ["Jobs"],
        "description": "The potential of every point, in C order, of a job that was submitted "
        "with `keep_grid`. A file that cannot be sent whole ends with a broken connection. "
        "NPZ and cube tell their length beforehand, OpenDX cannot; parts are not to be had.",
        "responses": {
            **_KNOWN,
            200: {
                "description": "The file.",
                "content": {content_type: {"schema": {"type": "string", "format": "binary"}}},
            },
            404: _NO_JOB,
            409: problem("The job keeps no map, or is not done."),
            410: problem("The map is no longer kept."),
            422: problem("The format cannot hold this grid."),
            503: _BUSY,
        },
    }


FLEET: Final[dict[str, Any]] = {
    "summary": "Look at the fleet",
    "tags": ["Fleet"],
    "responses": {**_KNOWN, 200: _json(FleetShown, "The fleet."), 503: _BUSY},
}
HEALTH: Final[dict[str, Any]] = {
    "summary": "Ask whether this process answers",
    "tags": ["Fleet"],
    "responses": {200: _json(Health, "It does.")},
}
READY: Final[dict[str, Any]] = {
    "summary": "Ask whether this process can serve",
    "tags": ["Fleet"],
    "description": "Ledger, store and queue answer. What was seen counts for five seconds.",
    "responses": {
        200: _json(ReadinessShown, "It can."),
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
_PREFER: Final[dict[str, Any]] = {
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
_SERIES: Final[list[dict[str, Any]]] = [
    {
        "name": "top",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": limits.MAX_SERIES},
    },
    {
        "name": "min_separation",
        "in": "query",
        "schema": {"type": "number", "minimum": 0, "maximum": limits.MAX_DISTANCE},
        "description": "with top; that of the job if it is left out",
    },
]
#: From a submission to what can be read of its job.
_LINKS: Final[dict[str, Any]] = {
    name: {
        "operationRef": f"#/paths/~1v1~1jobs~1{{job_id}}{end}/get",
        "parameters": {"job_id": "$response.body#/id"},
    }
    for name, end in (
        ("job", ""),
        ("atoms", "~1atoms"),
        ("record", "~1record"),
        ("result", "~1result"),
    )
}


def complete(spec: dict[str, Any]) -> dict[str, Any]:
    """Add to a generated description what the framework cannot see.

    We read bodies ourselves, to tell all their faults with pointers, so it knows of no models.
    """
    _, schemas = models_json_schema(
        [(model, "validation" if model is JobRequest else "serialization") for model in _MODELS],
        ref_template="#/components/schemas/{model}",
    )
    spec.setdefault("components", {})["schemas"] = schemas["$defs"]
    paths = spec["paths"]
    submit = paths["/v1/jobs"]["post"]
    submit["requestBody"] = {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/JobRequest"},
                "examples": _EXAMPLES,
            }
        },
    }
    submit.setdefault("parameters", []).append(_PREFER)
    for status in ("200", "202"):
        submit["responses"][status]["links"] = _LINKS
    paths["/v1/jobs/{job_id}"]["get"].setdefault("parameters", []).append(_PREFER)
    paths["/v1/jobs/{job_id}/result"]["get"].setdefault("parameters", []).extend(
        [_PREFER, *_SERIES]
    )
    paths["/v1/jobs"]["get"].setdefault("parameters", []).extend(_PAGING)
    for path in paths.values():
        reading = path.get("get", {})
        if "304" in reading.get("responses", {}):
            reading.setdefault("parameters", []).append(_IF_NONE_MATCH)
            reading["responses"]["200"]["headers"] = _ETAG
    return spec


def ordered(spec: dict[str, Any]) -> dict[str, Any]:
    """The same description in the order in which people read it: jobs first, then by status."""
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
