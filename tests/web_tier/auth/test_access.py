"""Who is let in, to what, and how often."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import pytest
from openapi_spec_validator import validate

import gridwell
from gridwell.access.keys import Scope
from gridwell.engine.errors import ServiceBusy
from gridwell.program.logs import hide_keys
from tests.harness.web_http import SMALL, Site
from tests.harness.web_keys import USUAL, Keyed, key_id
from web_tier.auth.csrf import is_foreign
from web_tier.auth.key_cache import KEPT_SECONDS
from web_tier.auth.policy import Access
from web_tier.auth.route_rules import CLOSED, OPEN, RULES, RouteKind, rule_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.test import TestResponse

    from gridwell.access.keys import AccessKey

ROUTES = sorted(
    (rule.rule, rule.endpoint, method)
    for rule in Site().app.url_map.iter_rules()
    for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
)
GUARDED = [route for route in ROUTES if route[1] not in OPEN]
OF_A_JOB = [route for route in GUARDED if "<job_id>" in route[0]]


def problem(response: TestResponse, status: int, code: str) -> str:
    """The detail of a problem, which is the one expected."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    assert response.json is not None
    assert response.json["code"] == code
    return str(response.json["detail"])


# The rules.


def test_every_route_has_a_rule_or_is_open_and_every_rule_a_route() -> None:
    assert {endpoint for _, endpoint, _ in ROUTES} == set(RULES) | OPEN


def test_a_route_that_nobody_thought_of_is_closed_to_all_but_admins() -> None:
    assert rule_of("jobs.forgotten") == CLOSED
    assert CLOSED.scope is Scope.ADMIN


# Keys.


@pytest.mark.parametrize(("path", "endpoint", "method"), GUARDED)
def test_without_a_key_nothing_is_told_of_any_job(path: str, endpoint: str, method: str) -> None:
    keyed = Keyed()
    job = keyed.job(keyed.key(), done=True)

    answer = keyed.ask(method, path.replace("<job_id>", job.id))

    assert "key" in problem(answer, 401, "key_missing")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="gridwell"'


@pytest.mark.parametrize("path", ["/healthz", "/openapi.json", "/login"])
def test_what_tells_nothing_of_jobs_is_open(path: str) -> None:
    assert Keyed().ask("GET", path).status_code == 200


def test_static_files_are_open() -> None:
    keyed = Keyed()
    (place,) = re.findall(r'href="([^"]*style.css)"', keyed.ask("GET", "/login").text)

    with keyed.ask("GET", place) as answer:
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Bearer gw_000000000000_" + "A" * 43,
        "Bearer gw_",
        "Bearer",
        "Bearer \t",
        "Basic YTpi",
        "Bearer gw_000000000000_" + "A" * 5000,
        "Bearer é",
    ],
)
def test_a_wrong_key_is_told_so_whatever_it_is(header: str) -> None:
    answer = Keyed().ask("GET", "/v1/jobs", headers={"Authorization": header})

    problem(answer, 401, "key_wrong")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_the_scheme_may_be_written_in_any_case_and_the_secret_may_not() -> None:
    keyed = Keyed()
    key = keyed.key()

    assert (
        keyed.ask("GET", "/v1/jobs", headers={"Authorization": f"bEARER {key}"}).status_code == 200
    )
    assert keyed.ask("GET", "/v1/jobs", key.swapcase()).status_code == 401


def test_an_expired_key_says_that_it_is() -> None:
    keyed = Keyed()
    key = keyed.key(lifetime=60.0)
    assert keyed.ask("GET", "/v1/jobs", key).status_code == 200

    keyed.world.clock.advance(60.0)

    assert key_id(key) in problem(keyed.ask("GET", "/v1/jobs", key), 401, "key_expired")


def test_a_revoked_key_opens_for_half_a_minute_at_most() -> None:
    keyed = Keyed()
    key = keyed.key()
    assert keyed.ask("GET", "/v1/jobs", key).status_code == 200
    keyed.ledger.revoke_key(key_id(key), now=keyed.world.clock.now())

    keyed.world.clock.advance(KEPT_SECONDS - 0.1)
    assert keyed.ask("GET", "/v1/jobs", key).status_code == 200  # remembered: as we say

    keyed.world.clock.advance(0.1)
    problem(keyed.ask("GET", "/v1/jobs", key), 401, "key_revoked")


def test_the_ledger_is_asked_once_for_many_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    keyed = Keyed()
    key = keyed.key()
    asked: list[str] = []
    look = keyed.ledger.key

    def count(one: str) -> AccessKey | None:
        asked.append(one)
        return look(one)

    monkeypatch.setattr(keyed.ledger, "key", count)

    for _ in range(5):
        keyed.ask("GET", "/v1/jobs", key)
        keyed.ask("GET", "/v1/jobs", "gw_000000000000_" + "A" * 43)

    assert asked == [key_id(key), "000000000000"]


def test_nobody_is_let_in_while_the_ledger_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    keyed = Keyed()
    key = keyed.key()

    def away(_: str) -> None:
        raise ServiceBusy("throttled")

    monkeypatch.setattr(keyed.ledger, "key", away)

    answer = keyed.ask("GET", "/v1/jobs", key)

    problem(answer, 503, "busy")
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(("path", "endpoint", "method"), GUARDED)
@pytest.mark.parametrize("scope", list(Scope))
def test_a_key_opens_what_its_scope_says_and_no_more(
    path: str, endpoint: str, method: str, scope: Scope
) -> None:
    keyed = Keyed()
    job = keyed.job(keyed.key(), done=False)
    wanted = RULES[endpoint].scope

    answer = keyed.ask(
        method, path.replace("<job_id>", job.id), keyed.key(scopes=frozenset({scope}))
    )

    if scope in (wanted, Scope.ADMIN):
        assert answer.status_code not in (401, 403)
    else:
        assert wanted in problem(answer, 403, "scope_missing")
        assert f'scope="{wanted}"' in answer.headers["WWW-Authenticate"]


def test_two_keys_of_one_client_are_one_client() -> None:
    keyed = Keyed()
    job = keyed.job(keyed.key(), done=False)

    assert keyed.ask("GET", f"/v1/jobs/{job.id}", keyed.key()).status_code == 200


def test_what_all_clients_do_together_needs_a_scope_of_its_own() -> None:
    keyed = Keyed()

    problem(keyed.ask("GET", "/metrics", keyed.key()), 403, "scope_missing")
    for scope in (Scope.METRICS, Scope.ADMIN):
        answer = keyed.ask("GET", "/metrics", keyed.key(scopes=frozenset({scope})))
        assert answer.status_code == 200
    assert (
        keyed.ask("GET", "/v1/jobs", keyed.key(scopes=frozenset({Scope.METRICS}))).status_code
        == 403
    )


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/login", "/docs", "/"])
def test_the_release_is_told_to_nobody_without_a_key(path: str) -> None:
    keyed = Keyed()
    people = {"Accept": "text/html"} if path in ("/login", "/docs", "/") else {}

    answer = keyed.ask("GET", path, headers=people)

    assert gridwell.__version__ not in answer.text.replace("127.0.0.1", "").replace("3.1.0", "")
    assert not [value for value in answer.headers.values() if gridwell.__version__ in value]


def test_whoever_is_logged_in_sees_the_release_and_while_open_everybody_does() -> None:
    keyed, site = Keyed(), Site()
    keyed.ask("POST", "/login", data={"key": keyed.key()})

    assert f"Gridwell {gridwell.__version__}" in keyed.ask("GET", "/").text
    for path in ("/healthz", "/readyz"):
        answer = site.client.get(path)
        assert answer.json is not None
        assert answer.json["version"] == gridwell.__version__


# One client and another.


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize(("path", "endpoint", "method"), OF_A_JOB)
def test_the_job_of_somebody_else_does_not_exist(
    path: str, endpoint: str, method: str, *, cached: bool, done: bool
) -> None:
    keyed = Keyed()
    alice, bob = keyed.key("alice"), keyed.key("bob", frozenset({Scope.ADMIN}))
    job = keyed.job(alice, done=done)
    if not cached:
        keyed.world.cache.clear()
    before = keyed.world.job(job)

    theirs = keyed.ask(method, path.replace("<job_id>", job.id), bob)
    nobodys = keyed.ask(method, path.replace("<job_id>", "0" * 32), bob)

    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.text.replace(job.id, "0" * 32) == nobodys.text
    assert keyed.world.job(job) == before
    assert keyed.ask(method, path.replace("<job_id>", job.id), alice).status_code != 404


@pytest.mark.parametrize(
    ("path", "method"), [(path, method) for path, _, method in GUARDED if "<" not in path]
)
def test_no_list_and_no_page_shows_the_job_of_somebody_else(path: str, method: str) -> None:
    keyed = Keyed()
    job = keyed.job(keyed.key("alice"), done=True)

    answer = keyed.ask(method, path, keyed.key("bob"))

    assert job.id not in answer.text


def test_a_list_has_a_clients_own_jobs() -> None:
    keyed = Keyed()
    alice, bob = keyed.key("alice"), keyed.key("bob")
    jobs = [keyed.job(key, done=False) for key in (alice, bob)]

    listed = [keyed.ask("GET", "/v1/jobs", key).json for key in (alice, bob)]

    assert [[one["id"] for one in page["jobs"]] for page in listed if page] == [
        [job.id] for job in jobs
    ]


def test_equal_problems_of_two_clients_are_two_jobs_with_one_answer() -> None:
    keyed = Keyed()
    hers = keyed.job(keyed.key("alice"), done=True)

    his = keyed.submit(keyed.key("bob"))

    assert his.status_code == 200
    assert his.json is not None
    assert his.json["id"] != hers.id
    assert keyed.site.stored(his).client == "bob"


def test_no_shared_cache_may_keep_what_one_client_was_told() -> None:
    keyed = Keyed()
    alice = keyed.key()
    job = keyed.job(alice, done=True)

    for path in ("/v1/jobs", f"/v1/jobs/{job.id}", f"/v1/jobs/{job.id}/atoms"):
        answer = keyed.ask("GET", path, alice)
        assert {"authorization", "cookie"} <= {name.lower() for name in answer.vary}
        assert re.match(r"no-store|private", answer.headers["Cache-Control"])


# Wrong keys, and too many requests.


def test_an_address_with_too_many_wrong_keys_must_wait_and_others_need_not() -> None:
    keyed = Keyed(failure_limit="3/day")
    good = keyed.key()
    wrong = [f"gw_{number:012x}_" + "A" * 43 for number in range(5)]
    assert keyed.ask("GET", "/v1/jobs", good).status_code == 200

    answers = [keyed.ask("GET", "/v1/jobs", key) for key in wrong]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    problem(answers[-1], 429, "too_many_failures")
    assert int(answers[-1].headers["Retry-After"]) >= 1
    # Who is known already behind the same address goes on, and so does any other address.
    assert keyed.ask("GET", "/v1/jobs", good).status_code == 200
    other = {"REMOTE_ADDR": "192.0.2.7"}
    assert keyed.ask("GET", "/v1/jobs", keyed.key(), environ_base=other).status_code == 200


@pytest.mark.parametrize(("proxies", "status"), [(0, 429), (1, 401)])
def test_an_address_that_a_caller_only_claims_is_not_believed(proxies: int, status: int) -> None:
    keyed = Keyed(failure_limit="1/day", proxies=proxies)

    answers = [
        keyed.ask("GET", "/v1/jobs", "gw_" + "0" * 12 + "_" + "A" * 43, headers=headers)
        for headers in ({"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "192.0.2.2"})
    ]

    assert [answer.status_code for answer in answers] == [401, status]


def test_behind_a_proxy_that_encrypts_the_cookie_is_secure() -> None:
    keyed = Keyed(proxies=1)

    entered = keyed.ask(
        "POST", "/login", data={"key": keyed.key()}, headers={"X-Forwarded-Proto": "https"}
    )

    assert "Secure" in entered.headers["Set-Cookie"].split("; ")


def test_a_client_that_asks_too_often_is_told_when_to_come_back() -> None:
    keyed = Keyed(limits={RouteKind.READS: "2/day"})
    alice = keyed.key("alice")

    answers = [keyed.ask("GET", "/v1/jobs", alice) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "2 per day" in problem(answers[2], 429, "too_many_requests")
    assert answers[2].headers["RateLimit-Policy"] == '"reads";q=2;w=86400'
    remaining = [answer.headers["RateLimit"].split(";")[1] for answer in answers]
    assert remaining == ["r=1", "r=0", "r=0"]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 86_400
    # Another client and another kind have limits of their own; another key of hers has not.
    assert keyed.ask("GET", "/v1/jobs", keyed.key("bob")).status_code == 200
    assert keyed.submit(alice).status_code == 202
    assert keyed.ask("GET", "/v1/jobs", keyed.key("alice")).status_code == 429


def test_while_open_each_address_has_its_limit() -> None:
    site = Site(access=Access(limits={RouteKind.SUBMITS: "1/day"}))
    other = {"REMOTE_ADDR": "192.0.2.7"}

    assert site.post(SMALL).status_code == 202
    assert site.post(SMALL).status_code == 429
    answer = site.client.post("/v1/jobs", json=SMALL, environ_base=other)
    assert answer.status_code == 202
    assert site.client.get("/v1/jobs").status_code == 200


def test_open_without_limits_nothing_is_counted_and_nothing_asked() -> None:
    site = Site()

    answer = site.post(SMALL)

    assert answer.status_code == 202
    assert "RateLimit" not in answer.headers
    assert site.stored(answer).client == "public"


# People.


def test_people_are_asked_for_their_key_and_led_back() -> None:
    keyed = Keyed()
    people = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    asked = keyed.ask("GET", "/?a=1", headers=people)
    assert (asked.status_code, asked.headers["Location"]) == (302, "/login?next=%2F%3Fa%3D1")
    assert 'value="/?a=1"' in keyed.ask("GET", asked.headers["Location"]).text

    entered = keyed.ask("POST", "/login", data={"key": f" {keyed.key()}\n", "next": "/?a=1"})

    assert (entered.status_code, entered.headers["Location"]) == (303, "/?a=1")
    page = keyed.ask("GET", "/", headers=people)
    assert page.status_code == 200
    assert 'title="alice">Log out' in page.text
    assert keyed.ask("GET", "/v1/jobs").status_code == 200  # the page's own scripts
    assert keyed.ask("POST", "/logout").status_code == 303
    assert keyed.ask("GET", "/v1/jobs").status_code == 401


def test_no_script_and_no_other_site_gets_the_cookie() -> None:
    keyed = Keyed()

    plain = keyed.ask("POST", "/login", data={"key": keyed.key()})
    secure = keyed.ask("POST", "/login", data={"key": keyed.key()}, base_url="https://localhost")

    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(plain.headers["Set-Cookie"].split("; "))
    assert "Secure" in secure.headers["Set-Cookie"].split("; ")


def test_a_cookie_does_not_outlive_its_key() -> None:
    keyed = Keyed()

    entered = keyed.ask("POST", "/login", data={"key": keyed.key(lifetime=90.0)})

    assert "Max-Age=90" in entered.headers["Set-Cookie"]


@pytest.mark.parametrize("text", ["", "gw_000000000000_" + "A" * 43, "<script>"])
def test_a_wrong_key_is_not_kept_and_not_shown(text: str) -> None:
    keyed = Keyed()

    answer = keyed.ask("POST", "/login", data={"key": text})

    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    assert "opens nothing" in answer.text
    assert not text or text not in answer.text


def test_the_login_counts_wrong_keys_too() -> None:
    keyed = Keyed(failure_limit="1/day")
    wrong = {"key": "gw_000000000000_" + "A" * 43}

    answers = [keyed.ask("POST", "/login", data=wrong) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [401, 429]
    assert "Retry-After" in answers[1].headers


@pytest.mark.parametrize(
    "path",
    ["https://evil.example/", "//evil.example/", "/\\evil.example/", "", "javascript:x", "/\n"],
)
def test_the_login_leads_nobody_elsewhere(path: str) -> None:
    keyed = Keyed()

    answer = keyed.ask("POST", "/login", data={"key": keyed.key(), "next": path})

    assert answer.headers["Location"] == "/"


def test_while_open_the_login_leads_to_the_first_page() -> None:
    answer = Site().client.post("/login", data={"key": "x"})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


# Other sites' pages.


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/login", "/logout"])
def test_a_page_of_another_site_changes_nothing(path: str, headers: dict[str, str]) -> None:
    keyed = Keyed()
    keyed.ask("POST", "/login", data={"key": keyed.key()})

    answer = keyed.ask("POST", path, headers=headers, json=SMALL)

    problem(answer, 403, "cross_site")
    assert "Set-Cookie" not in answer.headers
    assert keyed.ask("GET", "/v1/jobs").json == {"jobs": [], "cursor": None}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
    ],
)
def test_our_own_pages_and_programs_may(headers: dict[str, str]) -> None:
    keyed = Keyed()
    keyed.ask("POST", "/login", data={"key": keyed.key()})

    assert keyed.ask("POST", "/v1/jobs", headers=headers, json=SMALL).status_code == 202


def test_while_open_a_page_of_another_site_submits_nothing_either() -> None:
    site = Site()

    answer = site.post(SMALL, Sec_Fetch_Site="cross-site")

    problem(answer, 403, "cross_site")
    assert site.world.ledger.unfinished() == []


def test_looking_is_no_change() -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        assert not is_foreign(method, site="cross-site", origin="https://a.example", host="b")


def test_our_forms_tell_browsers_where_they_come_from() -> None:
    # Without a referrer browsers say Origin: null, and we could not tell our own forms.
    assert Keyed().ask("GET", "/login").headers["Referrer-Policy"] == "same-origin"


# What nobody may read.


@pytest.fixture
def _hiding() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    hide_keys()
    yield
    logging.setLogRecordFactory(before)


@pytest.mark.usefixtures("_hiding")
def test_no_key_is_in_a_log_an_answer_or_an_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    keyed = Keyed(failure_limit="40/day")
    key = keyed.key(scopes=USUAL, lifetime=60.0)
    secret = key.split("_", 2)[2]
    people = {"Accept": "text/html"}
    answers = []
    for text in (key, key[:-1] + ("A" if key[-1] != "A" else "B"), f"{key}{key}"):
        for path in ("/v1/jobs", f"/v1/jobs/{text}", f"/{text}", f"/?key={text}"):
            answers += [
                keyed.ask("GET", path, text),
                keyed.ask("GET", path),
                keyed.ask("GET", path, headers=people),
                keyed.ask("DELETE", path, text),
            ]
        answers.append(keyed.ask("POST", "/login", data={"key": text, "next": "/"}))
        answers.append(
            keyed.ask("POST", "/v1/jobs", text, data=text, content_type="application/json")
        )
    keyed.world.clock.advance(61)
    answers.append(keyed.ask("GET", "/v1/jobs", key))
    error = ServiceBusy(f"cannot use {key}")
    logging.getLogger("elsewhere").error("the key %s of %s", key, "alice", exc_info=error)

    assert len(caplog.records) >= 3
    formatted = [logging.Formatter().format(record) for record in caplog.records]
    assert any(f"gw_{key_id(key)}_…" in line for line in formatted)
    assert not [line for line in formatted if secret[:-1] in line]
    assert not [answer for answer in answers if secret[:-1] in answer.text]
    assert not [answer for answer in answers if secret[:-1] in answer.headers.get("Location", "")]


# What is told of all this.


def test_the_description_tells_of_keys_and_what_those_hear_who_have_none() -> None:
    spec = Keyed().ask("GET", "/openapi.json").json
    assert spec is not None

    validate(spec)
    for path, endpoint, method in ROUTES:
        operation = (
            spec["paths"].get(path.replace("<", "{").replace(">", "}"), {}).get(method.lower())
        )
        if operation is None:
            continue
        guarded = endpoint in RULES
        assert operation["security"] == ([{"key": []}] if guarded else [])
        assert ({"401", "403", "429"} <= set(operation["responses"])) is guarded
    assert spec["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


def test_while_open_the_description_says_that_no_key_is_needed() -> None:
    spec = Site().client.get("/openapi.json").json
    assert spec is not None

    assert spec["paths"]["/v1/jobs"]["post"]["security"] == [{"key": []}, {}]
