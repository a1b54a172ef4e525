"""What one client may ask for, through the whole web tier."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gridwell.access.quota import Quota, charged, day_of
from gridwell.adapters.memory import MemoryAccessLedger
from gridwell.engine.errors import ServiceBusy
from gridwell.kinds.grid.names import MAP_KIND
from gridwell.kinds.grid.work import work_of
from tests.harness.builders import a_problem
from tests.harness.web import Fuse, World
from tests.harness.web_http import SMALL, a_service
from tests.harness.web_keys import Keyed
from web_tier.jobs.quota_check import QuotaCheck, Reservation

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from gridwell.engine.kind import Work

PROBLEM = a_problem()
SECONDS = charged(work_of(PROBLEM).seconds)


def allowance(world: World, **quota: Any) -> QuotaCheck:
    return QuotaCheck(
        quota=Quota(**quota), jobs=world.ledger, spending=MemoryAccessLedger(), clock=world.clock
    )


def keyed(**quota: Any) -> Keyed:
    world = World()
    return Keyed(world=world, allowance=allowance(world, **quota))


def other(seed: int) -> dict[str, Any]:
    return SMALL | {"seed": seed}


def told(response: TestResponse, status: int, code: str) -> str:
    assert response.status_code == status, response.text
    assert response.json is not None
    assert response.json["code"] == code
    return str(response.json["detail"])


# Unfinished jobs at once.


def test_a_client_with_enough_unfinished_jobs_waits_for_one_and_others_need_not() -> None:
    site = keyed(unfinished=2)
    alice = site.key("alice")
    jobs = [site.submit(alice, other(seed)) for seed in (1, 2)]

    refused = site.submit(alice, other(3))

    assert [answer.status_code for answer in jobs] == [202, 202]
    assert "2 may be at once" in told(refused, 429, "too_many_jobs")
    assert int(refused.headers["Retry-After"]) >= 1
    assert site.submit(site.key("bob"), other(3)).status_code == 202

    site.site.finish(site.site.stored(jobs[0]))
    assert site.submit(alice, other(3)).status_code == 202


def test_joining_a_job_is_always_possible() -> None:
    site = keyed(unfinished=1, day_seconds=SECONDS)
    alice = site.key("alice")
    first = site.submit(alice)

    again = site.submit(alice)

    assert first.json is not None
    assert again.json is not None
    assert (again.status_code, again.json["id"]) == (202, first.json["id"])


# The cost of one job.


def test_a_job_that_costs_too_much_is_refused_with_the_estimate_and_nothing_is_stored() -> None:
    site = keyed(job_seconds=1.0)

    answer = site.submit(site.key(), {"grid_size": 60, "atom_count": 250_000})

    detail = told(answer, 422, "invalid_job")
    for words in ("60 x 60 x 60 points", "250000 atoms", "54.0 s", "1 s", "fewer points or atoms"):
        assert words in detail
    assert site.world.ledger.unfinished() == []
    assert site.world.store.objects == {}


# The day.


def test_a_day_is_spent_job_by_job_and_begins_anew_at_midnight() -> None:
    site = keyed(day_seconds=2 * SECONDS)
    alice = site.key("alice")
    for seed in (1, 2):
        assert site.submit(alice, other(seed)).status_code == 202

    refused = site.submit(alice, other(3))

    detail = told(refused, 429, "budget_spent")
    assert f"{2 * SECONDS:.3f} s are spent" in detail
    assert site.submit(site.key("bob"), other(3)).status_code == 202
    site.world.clock.advance(int(refused.headers["Retry-After"]))
    assert site.submit(alice, other(3)).status_code == 202


def test_a_known_answer_costs_nothing() -> None:
    site = keyed(day_seconds=SECONDS)
    alice, bob = site.key("alice"), site.key("bob")
    site.job(alice, done=True)
    assert site.submit(bob, other(7)).status_code == 202  # bob's day is spent

    assert site.submit(bob, SMALL).status_code == 200


def spent(quotas: QuotaCheck) -> float:
    return quotas.spending.spent("public", day_of(quotas.clock.now()))


@pytest.mark.parametrize("call", range(8))
def test_a_job_that_was_not_accepted_costs_nothing(call: int) -> None:
    world = World()
    quotas = allowance(world, day_seconds=10 * SECONDS)
    service = replace(a_service(world, Fuse(breaks_at=call)), charge=quotas.charge)

    try:
        service.submit(work_of(PROBLEM))
    except ServiceBusy:
        assert world.ledger.unfinished() == []
        assert spent(quotas) == 0
    else:
        assert spent(quotas) == SECONDS


def test_a_map_costs_what_all_its_pairs_cost() -> None:
    world, problem = World(), a_problem(40, atoms=500)
    quotas = allowance(world, day_seconds=1000.0)
    service = replace(a_service(world), charge=quotas.charge)

    work = work_of(problem, kind=MAP_KIND)
    service.submit(work)

    assert spent(quotas) == charged(work.seconds) > charged(work_of(problem).seconds)


def test_of_two_who_submit_at_once_one_is_charged() -> None:
    world = World()
    quotas = allowance(world, day_seconds=10 * SECONDS)
    service = replace(a_service(world), charge=quotas.charge)

    def late(client: str, work: Work) -> Reservation:
        service.submit(work)  # somebody is quicker, between the look and the put
        return quotas.charge(client, work)

    replace(service, charge=late).submit(work_of(PROBLEM))

    assert spent(quotas) == SECONDS


def test_a_charge_that_cannot_be_given_back_is_told_and_fails_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def away() -> None:
        raise ServiceBusy("throttled")

    with Reservation(away):
        pass

    assert "stays charged" in caplog.text
