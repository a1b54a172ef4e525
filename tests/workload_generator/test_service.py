"""The generator's calls: retries, refusals, and one HTTP client with the library's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gridwell.engine.errors import ServiceBusy, ServiceError
from tests.web_tier.api.test_jobs import MISSING
from workload_generator.largest_fleet import LargestFleet
from workload_generator.service import RequestRefused, ServiceClient

if TYPE_CHECKING:
    from tests.workload_generator.live_service import Live


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        ({"grid_size": 4}, "invalid_job", "/atom_count"),
        ({"grid_size": 1, "atoms": [[0, 0, 0, 1]]}, "no_candidate_point", "every point"),
        ({"grid_size": 4, "atom_count": 5, "kind": "dig"}, "invalid_job", "no kind of job"),
    ],
)
def test_a_refusal_has_the_code_and_the_words_of_the_service(
    live: Live, body: dict[str, object], code: str, named: str
) -> None:
    with ServiceClient(live.url) as service, pytest.raises(RequestRefused) as refused:
        service.submit(body, wait=0)

    assert refused.value.code == code
    assert named in str(refused.value)
    assert "POST /v1/jobs" in str(refused.value)


def test_a_job_that_is_not_there_is_refused(live: Live) -> None:
    with ServiceClient(live.url) as service, pytest.raises(RequestRefused) as refused:
        service.read(MISSING, wait=0)

    assert refused.value.code == "no_such_job"


def test_a_service_that_stays_busy_is_given_up_after_the_tries(live: Live) -> None:
    live.busy = 9

    with ServiceClient(live.url, tries=3) as service, pytest.raises(ServiceBusy):
        service.check()

    assert live.busy == 5


def test_an_answer_that_is_no_fleet_is_an_error(live: Live) -> None:
    live.show_fleet("running", "pending", "stopped")
    largest = LargestFleet()

    with ServiceClient(live.url) as service:
        largest.see(service.fleet())
        live.show_fleet("running")
        largest.see(service.fleet())
        live.lie_of_fleet = lambda fleet: fleet.pop("instances")
        with pytest.raises(ServiceError, match="not a fleet"):
            service.fleet()

    assert largest.size == 2
