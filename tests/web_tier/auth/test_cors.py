"""What scripts of pages of other origins may read and send."""

from __future__ import annotations

import pytest

from tests.harness.web_http import SMALL, Site
from tests.harness.web_keys import Keyed
from tests.web_tier.auth.test_access import ROUTES, problem
from web_tier.auth.route_rules import FILES, PUBLIC, WITH_KEY

ORIGIN = {"Origin": "https://viewer.example", "Sec-Fetch-Site": "cross-site"}
EXPOSED = {
    "ETag", "Location", "Preference-Applied", "RateLimit", "RateLimit-Policy", "Retry-After",
    "X-Request-ID", "Content-Disposition",
}  # fmt: skip
KEYED = [(path, endpoint, method) for path, endpoint, method in ROUTES if endpoint in WITH_KEY]
OPENED = [(path, endpoint, method) for path, endpoint, method in ROUTES if endpoint in FILES]
CLOSED = [
    (path, endpoint, method)
    for path, endpoint, method in ROUTES
    if endpoint not in WITH_KEY | FILES | PUBLIC
]


def preflight(method: str, headers: str = "authorization,content-type") -> dict[str, str]:
    """What a browser sends before a request that it does not know to be harmless."""
    return ORIGIN | {
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }


def test_every_shared_route_is_there() -> None:
    assert {endpoint for _, endpoint, _ in ROUTES} >= FILES | WITH_KEY


@pytest.mark.parametrize(("path", "endpoint", "method"), KEYED + OPENED)
def test_a_page_may_ask_before_it_sends_a_key_and_then_read_the_answer(
    path: str, endpoint: str, method: str
) -> None:
    del endpoint
    keyed = Keyed()
    key = keyed.key()
    path = path.replace("<job_id>", keyed.job(key, done=False).id)

    asked = keyed.ask("OPTIONS", path, headers=preflight(method))
    answered = keyed.ask(method, path, key, headers=ORIGIN, json=SMALL)

    assert asked.status_code == 200
    assert asked.headers["Access-Control-Allow-Origin"] == "*"
    assert method in asked.headers["Access-Control-Allow-Methods"].split(", ")
    taken = asked.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type", "if-none-match", "prefer"} <= set(taken)
    assert answered.status_code not in (401, 403, 405)
    for response in (asked, answered):
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in response.headers
    assert set(answered.headers["Access-Control-Expose-Headers"].split(", ")) >= EXPOSED


def test_a_page_with_a_key_submits_and_reads_where_its_job_is() -> None:
    keyed = Keyed()

    answer = keyed.ask("POST", "/v1/jobs", keyed.key(), headers=ORIGIN, json=SMALL)

    assert answer.status_code == 202
    assert answer.headers["Location"].startswith("/v1/jobs/")


def test_a_page_sees_why_it_is_refused() -> None:
    answer = Keyed().ask("GET", "/v1/jobs", headers=ORIGIN)

    problem(answer, 401, "key_missing")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "WWW-Authenticate" in answer.headers["Access-Control-Expose-Headers"]


def test_a_cookie_opens_nothing_to_pages_of_others() -> None:
    keyed = Keyed()
    keyed.ask("POST", "/login", data={"key": keyed.key()})

    for headers in (ORIGIN, ORIGIN | {"Authorization": "Basic YTpi"}):
        answer = keyed.ask("POST", "/v1/jobs", headers=headers, json=SMALL)
        assert answer.status_code in (401, 403)
        assert keyed.ask("GET", "/v1/jobs").json == {"jobs": [], "cursor": None}


@pytest.mark.parametrize("path", ["/login", "/logout", "/jobs", "/estimate"])
def test_forms_of_others_stay_refused_whatever_they_show(path: str) -> None:
    keyed = Keyed()

    answer = keyed.ask("POST", path, keyed.key(), headers=ORIGIN, data={})

    problem(answer, 403, "cross_site")


@pytest.mark.parametrize(("path", "endpoint", "method"), CLOSED)
def test_pages_and_what_is_for_the_operator_are_not_shared(
    path: str, endpoint: str, method: str
) -> None:
    del endpoint
    keyed = Keyed()
    path = path.replace("<job_id>", "0" * 32)

    asked = keyed.ask("OPTIONS", path, headers=preflight(method))
    answered = keyed.ask(method, path, keyed.key(), headers=ORIGIN)

    assert not [
        name
        for name in (*asked.headers.keys(), *answered.headers.keys())
        if "Control-" in name and name.startswith("Access")
    ]


@pytest.mark.parametrize(("path", "endpoint", "method"), KEYED)
def test_while_open_no_page_of_others_lists_reads_or_submits_jobs(
    path: str, endpoint: str, method: str
) -> None:
    del endpoint
    site = Site()
    path = path.replace("<job_id>", site.done().id)

    asked = site.client.open(path, method="OPTIONS", headers=preflight(method))
    answered = site.client.open(path, method=method, headers=ORIGIN, json=SMALL)

    assert "Access-Control-Allow-Origin" not in asked.headers
    assert "Access-Control-Allow-Origin" not in answered.headers
    if method != "GET":
        problem(answered, 403, "cross_site")


@pytest.mark.parametrize(("path", "endpoint", "method"), OPENED)
def test_while_open_a_page_of_others_reads_no_file_whose_address_it_computed(
    path: str, endpoint: str, method: str
) -> None:
    del endpoint
    site = Site()
    path = path.replace("<job_id>", site.done().id)

    answer = site.client.open(path, method=method, headers=ORIGIN)
    asked = site.client.open(path, method="OPTIONS", headers=preflight(method, "if-none-match"))
    absent = site.client.open(path.replace(site.done().id, "0" * 32), headers=ORIGIN)

    for response in (answer, asked, absent):
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_description_is_everybodys() -> None:
    for client in (Site().client, Keyed().site.client):
        answer = client.get("/openapi.json", headers=ORIGIN)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Cross-Origin-Resource-Policy" not in answer.headers


def test_the_question_before_a_request_is_not_counted() -> None:
    keyed = Keyed(failure_limit="1/day")

    for _ in range(3):
        assert keyed.ask("OPTIONS", "/v1/jobs", headers=preflight("POST")).status_code == 200
    assert keyed.ask("GET", "/v1/jobs", "gw_000000000000_" + "A" * 43).status_code == 401
