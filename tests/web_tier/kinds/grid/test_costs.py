"""A call counts as what it costs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness.web_http import SMALL
from tests.harness.web_keys import Keyed
from web_tier.auth.route_rules import RouteKind

FORM: dict[str, Any] = {"source": "random", "grid_size": "4", "atom_count": "5", "seed": "1"}


def test_an_estimate_counts_as_a_submission() -> None:
    keyed = Keyed(limits={RouteKind.SUBMITS: "3/day"})
    key = keyed.key()

    first = [keyed.ask("POST", "/estimate", key, data=FORM).status_code for _ in range(2)]

    assert first == [200, 200]
    assert keyed.submit(key).status_code == 202
    refused = keyed.ask("POST", "/estimate", key, data=FORM)
    assert refused.status_code == 429
    assert refused.json is not None
    assert refused.json["code"] == "too_many_requests"
    assert keyed.submit(key).status_code == 429


@pytest.mark.parametrize(
    ("job", "path", "reads"),
    [
        (SMALL, "atoms", 1),
        (SMALL | {"atom_count": 25_000}, "atoms", 3),
        (SMALL | {"grid_size": 22, "atom_count": 1, "keep_grid": True}, "grid.npz", 2),
        (SMALL | {"grid_size": 22, "atom_count": 1, "keep_grid": True}, "points.csv", 2),
    ],
)
def test_a_download_counts_as_many_reads_as_it_costs(
    job: dict[str, Any], path: str, reads: int
) -> None:
    keyed = Keyed(limits={RouteKind.READS: "10/day"})
    key = keyed.key()
    made = keyed.site.stored(keyed.submit(key, job))
    if "keep_grid" in job:
        keyed.site.finish(made)
    address = f"/v1/jobs/{made.id}/{path}"

    answer = keyed.ask("GET", address, key)

    assert answer.status_code == 200
    assert f"r={10 - reads};" in answer.headers["RateLimit"]
    again = keyed.ask("GET", address, key, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert f"r={9 - reads};" in again.headers["RateLimit"]  # it was not written again


def test_a_client_without_reads_for_a_download_is_told_so() -> None:
    keyed = Keyed(limits={RouteKind.READS: "4/day"})
    key = keyed.key()
    made = keyed.site.stored(keyed.submit(key, SMALL | {"atom_count": 25_000}))
    address = f"/v1/jobs/{made.id}/atoms"

    statuses = [keyed.ask("GET", address, key).status_code for _ in range(2)]

    assert statuses == [200, 429]
