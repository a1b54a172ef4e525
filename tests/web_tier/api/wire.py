"""Every response about jobs of the grid kinds, as text: requests in, bytes out, nothing drawn.

`python -m tests.web_tier.api.wire` prints them all.  `samples/wire.json` holds what release 0.1
answered; clients rely on it to the last byte.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from gridwell.engine.job import CHUNK_FAILED, JobError
from tests.harness.web_http import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.test import TestResponse

MINIMUM: Final = {"grid_size": 6, "atom_count": 9, "seed": 2}
OWN_ATOMS: Final[dict[str, Any]] = {
    "grid": {"origin": [0.5, 0, -1], "spacing": [0.5, 0.25, 1], "shape": [4, 5, 3]},
    "atoms": [[1.2, 3.4, 0.6, -1.0], [2.1, 0.3, 0.5, 0.5]],
    "min_distance": 0.3,
    "softening": 0.1,
}
PLACE: Final = {"count": 3, "energy": 1, "min_distance": 0.5, "min_separation": 2}
JOBS: Final[dict[str, dict[str, Any]]] = {
    "minimum": MINIMUM,
    "own atoms": OWN_ATOMS,
    "top": MINIMUM | {"top": 5, "min_separation": 2},
    "place": MINIMUM | {"place": PLACE},
    "map": MINIMUM | {"keep_grid": True},
}
INVALID: Final[dict[str, bytes]] = {
    name: text if isinstance(text, bytes) else json.dumps(text).encode()
    for name, text in {
        "empty": {},
        "no object": [1, 2],
        "no JSON": b"{",
        "repeated name": b'{"grid_size": 4, "grid_size": 5, "atom_count": 1}',
        "unknown field": MINIMUM | {"colour": "red"},
        "many faults": {"grid_size": 0, "grid": {}, "atom_count": -1, "seed": 1.5, "top": "x"},
        "map of a series": MINIMUM | {"top": 2, "keep_grid": True},
        "no candidate": {"grid_size": 1, "atoms": [[0, 0, 0, 1]]},
        "endless series": {"grid_size": 200, "atom_count": 100_000, "top": 200},
    }.items()
}
PARTS: Final = (
    "",
    "/atoms",
    "/atoms?format=csv",
    "/atoms?format=npy",
    "/record",
    "/result",
    "/result?top=2",
    "/result?top=0",
    "/points.csv",
    "/ions.pdb",
    "/grid.dx",
    "/grid.cube",
    "/grid.npz",
    "/events",
)
PAGES: Final = ("/", "/jobs", "/docs", "/openapi.json")
_HEADERS: Final = (
    "Accept-Ranges",
    "Cache-Control",
    "Content-Disposition",
    "Content-Type",
    "ETag",
    "Location",
    "Preference-Applied",
    "Retry-After",
    "Vary",
)
_SHOWN: Final = 4_000  #: bytes; of a longer body its hash stands for it


def responses() -> dict[str, Any]:
    """Return each response by the name of what was asked."""
    seen: dict[str, Any] = {}
    with _nothing_drawn():
        site = Site()
        for name, body in INVALID.items():
            seen[f"invalid: {name}"] = _text(site.post(body))
        for name, asked in JOBS.items():
            seen[f"{name}: submitted"] = _text(site.post(asked))
            job = site.stored(site.post(asked))
            for part in ("", "/record", "/result", "/points.csv", "/ions.pdb", "/grid.dx"):
                seen[f"{name}: queued{part}"] = _get(site, f"/v1/jobs/{job.id}{part}")
            site.finish(job)
            for part in PARTS:
                seen[f"{name}: done{part}"] = _get(site, f"/v1/jobs/{job.id}{part}")
            seen[f"{name}: joined"] = _text(site.post(asked, Prefer="wait=1"))
            seen[f"{name}: too late"] = _text(site.client.delete(f"/v1/jobs/{job.id}"))
        _ended(site, seen)
        seen["list"] = _get(site, "/v1/jobs?limit=3")
        seen["list: older"] = _get(site, f"/v1/jobs?limit=3&cursor={_cursor(site)}")
        seen["absent"] = _get(site, f"/v1/jobs/{'0' * 32}")
    return seen


def pages() -> dict[str, str]:
    """Return the pages and the description: people read them, so they may change."""
    with _nothing_drawn():
        site = Site(dollars_per_hour=0.1)
        jobs = [site.stored(site.post(asked)) for asked in JOBS.values()]
        shown = {f"queued {job.id}": f"/jobs/{job.id}" for job in jobs}
        seen = {name: site.client.get(path).text for name, path in shown.items()}
        for job in jobs:
            site.finish(job)
        shown = {f"done {job.id}": f"/jobs/{job.id}" for job in jobs} | {p: p for p in PAGES}
        return seen | {name: site.client.get(path).text for name, path in shown.items()}


def _ended(site: Site, seen: dict[str, Any]) -> None:
    """Jobs that failed and that were cancelled."""
    cancelled = site.stored(site.post(MINIMUM | {"seed": 3}))
    seen["cancelled: deleted"] = _text(site.client.delete(f"/v1/jobs/{cancelled.id}"))
    seen["cancelled"] = _get(site, f"/v1/jobs/{cancelled.id}")
    seen["cancelled: events"] = _get(site, f"/v1/jobs/{cancelled.id}/events")
    failed = site.stored(site.post(MINIMUM | {"seed": 4}))
    error = JobError(CHUNK_FAILED, "chunk 0 failed")
    site.world.ledger.fail(failed.id, failed.attempt, error=error, now=site.world.clock.now())
    seen["failed"] = _get(site, f"/v1/jobs/{failed.id}")


def _cursor(site: Site) -> str:
    page: Any = site.client.get("/v1/jobs?limit=3").json
    return str(page["cursor"])


def _get(site: Site, path: str) -> dict[str, Any]:
    return _text(site.client.get(path))


def _text(response: TestResponse) -> dict[str, Any]:
    data = response.data
    response.close()
    kind = response.content_type or ""
    is_text = kind.startswith("text/") or "json" in kind
    return {
        "status": f"{response.status_code} {HTTPStatus(response.status_code).phrase}",
        "headers": {name: response.headers[name] for name in _HEADERS if name in response.headers},
        "body": data.decode()
        if is_text and len(data) <= _SHOWN
        else f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}",
    }


@contextmanager
def _nothing_drawn() -> Iterator[None]:
    """Count where attempts and pauses are drawn."""
    numbers = itertools.count(1)
    with (
        patch("tests.harness.web_http.secrets.token_hex", lambda _: f"{next(numbers):016x}"),
        patch("web_tier.problem_details.random.randint", lambda low, _high: low),
    ):
        yield


if __name__ == "__main__":
    json.dump(pages() if sys.argv[1:] else responses(), sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")
