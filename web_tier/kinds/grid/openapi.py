"""The grid kinds in the OpenAPI document: their routes and examples."""

from __future__ import annotations

from typing import Any, Final

from gridwell.kinds.grid import limits
from web_tier.api.openapi import (
    BUSY,
    KNOWN,
    NO_JOB,
    PREFER,
    json_content,
    link,
    problem,
)
from web_tier.kinds.grid.models import JobShown, PointsShown

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "drawn atoms": {"grid_size": 16, "atom_count": 500, "seed": 7, "energy_range": [-1, 1]},
    "your own atoms": {
        "grid": {"origin": [0, 0, 0], "spacing": [0.5, 0.5, 0.5], "shape": [21, 21, 41]},
        "atoms": [[1.2, 3.4, 5.6, -1.0], [2.1, 4.3, 6.5, 0.5]],
        "min_distance": 1.0,
    },
    "three points": {"grid_size": 16, "atom_count": 200, "seed": 3, "top": 3, "min_separation": 4},
    "two sodium ions": {
        "grid": {"origin": [-5, -5, -5], "spacing": [0.5, 0.5, 0.5], "shape": [21, 21, 21]},
        "atoms": [[0, 0, 0, -1], [1.5, 0, 0, -1]],
        "place": {"count": 2, "energy": 1, "min_distance": 2.5, "min_separation": 3},
    },
}
ATOMS: Final[dict[str, Any]] = {
    "summary": "Read a job's atoms",
    "tags": ["Jobs"],
    "description": "They never change, so a client may keep them for ever.",
    "responses": {
        **KNOWN,
        200: {
            "description": "The atoms.",
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/AtomsShown"}},
                "text/csv": {"schema": {"type": "string"}},
                "application/x-npy": {"schema": {"type": "string", "format": "binary"}},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            },
        },
        404: NO_JOB,
        409: problem("The job is of a kind without atoms."),
        406: problem("Atoms do not come in a form that Accept allows."),
        410: problem("They are no longer kept."),
        503: BUSY,
    },
}
RECORD: Final[dict[str, Any]] = {
    "summary": "Read a done job's record",
    "tags": ["Jobs"],
    "description": "Grid, atoms and result, by which anybody can check the answer.",
    "responses": {
        **KNOWN,
        200: {
            "description": "The record.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        404: NO_JOB,
        409: problem("The job is not done."),
        410: problem("It is no longer kept."),
        503: BUSY,
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
        **KNOWN,
        200: json_content(PointsShown, "The points."),
        202: json_content(JobShown, "Another job looks for them; ask again, or follow Location."),
        404: NO_JOB,
        409: problem("The job, or the one that looks for the points, is not done."),
        410: problem("Its atoms are no longer kept."),
        422: problem("The query cannot be used, or no worker would end in time."),
        503: BUSY,
    },
}
POINTS_CSV: Final[dict[str, Any]] = {
    "summary": "Read the points as CSV",
    "tags": ["Jobs"],
    "description": "Those that the job found; of a job that was submitted with `keep_grid`, all of "
    "the grid's, written while they are read, in C order. A point without a value has an empty "
    "last field.",
    "responses": {
        **KNOWN,
        200: {
            "description": "The points, with every bit, to store.",
            "content": {"text/csv": {"schema": {"type": "string"}}},
        },
        404: NO_JOB,
        409: problem("The job is not done."),
        410: problem("The map is no longer kept."),
        503: BUSY,
    },
}
IONS_PDB: Final[dict[str, Any]] = {
    "summary": "Read placed ions as PDB",
    "tags": ["Jobs"],
    "description": "HETATM records, NA or CL; coordinates have the three decimals of the format.",
    "responses": {
        **KNOWN,
        200: {
            "description": "The ions, to store.",
            "content": {"chemical/x-pdb": {"schema": {"type": "string"}}},
        },
        404: NO_JOB,
        409: problem("The job is not done, or it placed no ions."),
        422: problem("A coordinate does not fit into the columns of PDB."),
        503: BUSY,
    },
}


def map_file(name: str, content_type: str) -> dict[str, Any]:
    """Return the description of a route to a kept map.

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
            **KNOWN,
            200: {
                "description": "The file.",
                "content": {content_type: {"schema": {"type": "string", "format": "binary"}}},
            },
            404: NO_JOB,
            409: problem("The job keeps no map, or is not done."),
            410: problem("The map is no longer kept."),
            422: problem("The format cannot hold this grid."),
            503: BUSY,
        },
    }


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


def document(spec: dict[str, Any]) -> None:
    """Add the parameters of results, and links from a submission to its files."""
    result = spec["paths"]["/v1/jobs/{job_id}/result"]["get"]
    result.setdefault("parameters", []).extend([PREFER, *_SERIES])
    for status in ("200", "202"):
        links = spec["paths"]["/v1/jobs"]["post"]["responses"][status]["links"]
        links |= {name: link(f"/{name}") for name in ("atoms", "record", "result")}
