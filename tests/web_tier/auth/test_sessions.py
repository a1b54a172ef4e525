"""A browser's session: opened by a key, ended by logging out, by time, and with its key."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

import pytest

from gridwell.access.keys import Scope
from gridwell.access.session import IDLE_SECONDS, LIFE_SECONDS, TOUCH_SECONDS, SessionToken
from gridwell.adapters.memory import MemoryAccessLedger
from gridwell.engine.errors import ServiceBusy
from tests.harness.web_http import Site
from tests.harness.web_keys import Keyed, key_id
from tests.web_tier.auth.test_access import problem
from web_tier.auth.cookie import PLAIN_NAME, SECURE_NAME
from web_tier.auth.sessions import SESSION_KEPT_SECONDS, Sessions

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from gridwell.access.session import Session

TLS = {"X-Forwarded-Proto": "https"}


def log_in(keyed: Keyed, key: str, **options: Any) -> TestResponse:
    answer = keyed.ask("POST", "/login", data={"key": key}, **options)
    assert answer.status_code == 303, answer.text
    return answer


def cookie_of(answer: TestResponse) -> tuple[str, str]:
    """The name and the value of the cookie that an answer sets."""
    (header,) = answer.headers.getlist("Set-Cookie")
    ((name, morsel),) = SimpleCookie(header).items()
    return name, morsel.value


def fresh(keyed: Keyed) -> Keyed:
    """Another web process on the same ledger, and a browser without cookies."""
    return Keyed(
        ledger=keyed.ledger, world=keyed.world, proxies=keyed.proxies, failure_limit="3/day"
    )


def present(keyed: Keyed, token: str, name: str = PLAIN_NAME, path: str = "/v1/jobs") -> int:
    """The status of a request with a session cookie and nothing else."""
    client = keyed.site.app.test_client(use_cookies=False)
    return client.get(path, headers={"Cookie": f"{name}={token}"}).status_code


# The cookie.


def test_the_cookie_is_a_new_token_at_each_login_and_never_the_key() -> None:
    keyed = Keyed()
    key = keyed.key()

    values = [cookie_of(log_in(fresh(keyed), key))[1] for _ in range(3)]

    assert len(set(values)) == 3
    for value in values:
        assert key.split("_", 2)[2] not in value
        assert SessionToken.parse(value) is not None
        assert present(keyed, value) == 200


def test_the_ledger_holds_no_token() -> None:
    keyed = Keyed()
    _, token = cookie_of(log_in(keyed, keyed.key()))

    (session,) = keyed.ledger._sessions.values()

    assert token not in repr(session)
    assert token.rsplit("_", 1)[0] not in repr(session)


@pytest.mark.parametrize(("headers", "name"), [({}, PLAIN_NAME), (TLS, SECURE_NAME)])
def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(
    headers: dict[str, str], name: str
) -> None:
    keyed = Keyed(proxies=1)

    answer = log_in(keyed, keyed.key(), headers=headers)

    parts = set(answer.headers["Set-Cookie"].split("; "))
    assert cookie_of(answer)[0] == name
    assert {"HttpOnly", "SameSite=Strict", "Path=/", f"Max-Age={int(LIFE_SECONDS)}"} <= parts
    assert ("Secure" in parts) is (name == SECURE_NAME)
    assert not [part for part in parts if part.startswith("Domain")]


def test_over_tls_only_the_cookie_that_no_other_host_can_plant_is_taken() -> None:
    keyed = Keyed(proxies=1)
    _, token = cookie_of(log_in(keyed, keyed.key(), headers=TLS))

    def over_tls(name: str) -> int:
        client = keyed.site.app.test_client(use_cookies=False)
        headers = {**TLS, "Cookie": f"{name}={token}"}
        return client.get("/v1/jobs", headers=headers).status_code

    assert over_tls(SECURE_NAME) == 200
    assert over_tls(PLAIN_NAME) == 401
    assert over_tls("gridwell_key") == 401


def test_of_two_different_cookies_neither_is_taken() -> None:
    keyed = Keyed()
    hers = cookie_of(log_in(fresh(keyed), keyed.key("alice")))[1]
    planted = cookie_of(log_in(fresh(keyed), keyed.key("mallory")))[1]

    assert present(keyed, f"{planted}; {PLAIN_NAME}={hers}") == 401
    assert present(keyed, f"{hers}; {PLAIN_NAME}={hers}") == 200


def test_a_key_in_the_cookie_opens_nothing_and_is_cleared_at_the_next_login() -> None:
    keyed = Keyed()
    key = keyed.key()
    assert present(keyed, key) == 401
    assert present(keyed, key, name="gridwell_key") == 401

    keyed.site.client.set_cookie("gridwell_key", key)
    answer = log_in(keyed, key)

    cleared = [line for line in answer.headers.getlist("Set-Cookie") if "gridwell_key=;" in line]
    assert len(cleared) == 1
    assert "Max-Age=0" in cleared[0]


def test_a_header_counts_before_the_cookie() -> None:
    keyed = Keyed()
    log_in(keyed, keyed.key("alice"))

    assert keyed.ask("GET", "/v1/jobs", "gw_").status_code == 401
    assert keyed.submit(keyed.key("bob")).status_code == 202
    assert keyed.ask("GET", "/v1/jobs").json == {"jobs": [], "cursor": None}


# Its end.


def test_logging_out_ends_the_session_here_at_once_and_elsewhere_within_half_a_minute() -> None:
    keyed = Keyed()
    _, token = cookie_of(log_in(keyed, keyed.key()))
    other = fresh(keyed)
    assert present(other, token) == 200

    answer = keyed.ask("POST", "/logout")

    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert present(keyed, token) == 401
    assert present(fresh(keyed), token) == 401
    keyed.world.clock.advance(SESSION_KEPT_SECONDS)
    assert present(other, token) == 401


def test_logging_out_ends_no_other_session_of_the_key() -> None:
    keyed = Keyed()
    key = keyed.key()
    other = cookie_of(log_in(fresh(keyed), key))[1]
    log_in(keyed, key)

    keyed.ask("POST", "/logout")

    assert present(keyed, other) == 200
    assert keyed.ask("GET", "/v1/jobs", key).status_code == 200


def test_logging_in_again_ends_the_session_before() -> None:
    keyed = Keyed()
    _, first = cookie_of(log_in(keyed, keyed.key("alice")))
    _, second = cookie_of(log_in(keyed, keyed.key("bob")))

    assert present(keyed, first) == 401
    assert present(keyed, second) == 200


def test_a_token_that_was_given_before_the_login_is_never_opened_by_it() -> None:
    keyed = Keyed()
    key = keyed.key()
    fixed = SessionToken(key_id(key), f"gws_{key_id(key)}_{'A' * 43}_{'0' * 32}").text

    keyed.site.client.set_cookie(PLAIN_NAME, fixed)
    answer = log_in(keyed, key)

    assert cookie_of(answer)[1] != fixed
    assert present(keyed, fixed) == 401


def test_a_revoked_key_ends_its_sessions_within_half_a_minute() -> None:
    keyed = Keyed()
    key = keyed.key()
    _, token = cookie_of(log_in(keyed, key))
    keyed.ledger.revoke_key(key_id(key), now=keyed.world.clock.now())

    keyed.world.clock.advance(SESSION_KEPT_SECONDS)

    assert present(keyed, token) == 401


def test_an_expired_key_ends_its_sessions() -> None:
    keyed = Keyed()
    _, token = cookie_of(log_in(keyed, keyed.key(lifetime=90.0)))

    keyed.world.clock.advance(90.0)

    assert present(keyed, token) == 401


def test_a_session_ends_after_twelve_hours_however_much_it_is_used() -> None:
    keyed = Keyed()
    _, token = cookie_of(log_in(keyed, keyed.key()))
    steps = int(LIFE_SECONDS / 1800)

    for _ in range(steps - 1):
        keyed.world.clock.advance(1800.0)
        assert present(keyed, token) == 200
    keyed.world.clock.advance(1800.0)

    assert present(keyed, token) == 401
    assert present(fresh(keyed), token) == 401


def test_a_session_that_is_not_used_for_an_hour_is_over_in_all_processes() -> None:
    keyed = Keyed()
    _, token = cookie_of(log_in(keyed, keyed.key()))
    keyed.world.clock.advance(IDLE_SECONDS / 2)
    assert present(keyed, token) == 200

    keyed.world.clock.advance(IDLE_SECONDS - TOUCH_SECONDS)
    assert present(fresh(keyed), token) == 200

    keyed.world.clock.advance(IDLE_SECONDS)
    assert present(fresh(keyed), token) == 401
    assert present(keyed, token) == 401


class Counted(MemoryAccessLedger):
    """Counts what sessions cost."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.touches = 0

    def session(self, digest: str) -> Session | None:
        self.reads += 1
        return super().session(digest)

    def touch_session(self, digest: str, *, now: float) -> Session | None:
        self.touches += 1
        return super().touch_session(digest, now=now)


def test_a_busy_session_is_read_each_half_minute_and_written_each_five() -> None:
    ledger = Counted()
    keyed = Keyed(ledger=ledger)
    _, token = cookie_of(log_in(keyed, keyed.key()))

    for _ in range(600):
        assert present(keyed, token) == 200
        keyed.world.clock.advance(1.0)

    assert ledger.reads <= 600 / SESSION_KEPT_SECONDS + 1
    assert ledger.touches <= 600 / TOUCH_SECONDS


def test_made_up_tokens_cost_no_read_of_sessions() -> None:
    ledger = Counted()
    keyed = Keyed(ledger=ledger, failure_limit="3/day")
    key = keyed.key()
    _, token = cookie_of(log_in(keyed, key))
    made_up = [f"gws_{key_id(key)}_{number:043d}_{number:032x}" for number in range(50)]
    made_up += [f"gws_{number:012x}_{number:043d}_{number:032x}" for number in range(50)]

    assert {present(keyed, text) for text in made_up} == {401, 429}
    assert ledger.reads == 0
    # The right session of the same address goes on, also in a process that has never seen it.
    assert present(keyed, token) == 200
    process = fresh(keyed)
    assert {present(process, text) for text in made_up} == {401, 429}
    assert present(process, token) == 200


def test_sessions_that_a_process_has_not_seen_are_bounded_for_each_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("web_tier.auth.authenticate._SESSION_READS", "2/day")
    keyed = Keyed()
    key = keyed.key()
    tokens = [cookie_of(log_in(fresh(keyed), key))[1] for _ in range(3)]

    assert [present(keyed, token) for token in tokens] == [200, 200, 429]
    keyed.world.clock.advance(SESSION_KEPT_SECONDS)
    assert present(keyed, tokens[0]) == 200  # it was seen


def test_one_key_opens_a_bounded_number_of_sessions_a_minute() -> None:
    keyed = Keyed()
    key = keyed.key()

    answers = [keyed.ask("POST", "/login", data={"key": key}) for _ in range(31)]

    assert [answer.status_code for answer in answers] == [*[303] * 30, 429]
    assert "Retry-After" in answers[-1].headers


# The ledger away.


@pytest.mark.parametrize("method", ["session", "key"])
def test_while_the_ledger_cannot_tell_a_session_is_busy_and_not_logged_out(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyed = Keyed()
    log_in(keyed, keyed.key())
    keyed.world.clock.advance(SESSION_KEPT_SECONDS)

    def away(_: str) -> None:
        raise ServiceBusy("throttled")

    with monkeypatch.context() as broken:
        broken.setattr(keyed.ledger, method, away)
        for path in ("/v1/jobs", "/"):
            answer = keyed.ask("GET", path, headers={"Accept": "text/html"})
            assert answer.status_code == 503
            assert "Set-Cookie" not in answer.headers
    assert keyed.ask("GET", "/v1/jobs").status_code == 200


def test_a_logout_that_the_ledger_did_not_take_can_be_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keyed = Keyed()
    _, token = cookie_of(log_in(keyed, keyed.key()))

    def away(_: str, *, now: float) -> None:
        raise ServiceBusy(f"throttled at {now}")

    with monkeypatch.context() as broken:
        broken.setattr(keyed.ledger, "end_session", away)
        answer = keyed.ask("POST", "/logout")
        assert answer.status_code == 503
        assert "Set-Cookie" not in answer.headers

    assert keyed.ask("POST", "/logout").status_code == 303
    assert present(fresh(keyed), token) == 401


def test_a_use_that_cannot_be_noted_refuses_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keyed = Keyed()
    _, token = cookie_of(log_in(keyed, keyed.key()))
    keyed.world.clock.advance(TOUCH_SECONDS)

    def away(_: str, *, now: float) -> None:
        raise ServiceBusy(f"throttled at {now}")

    monkeypatch.setattr(keyed.ledger, "touch_session", away)

    assert present(keyed, token) == 200
    assert "access.session_untouched" in [getattr(r, "action", "") for r in caplog.records]


def test_an_end_is_final_whatever_an_earlier_read_says() -> None:
    keyed = Keyed()
    _, token = cookie_of(log_in(keyed, keyed.key()))
    sessions = Sessions(keyed.ledger, keyed.world.clock)
    parsed = SessionToken.parse(token)
    assert parsed is not None
    late = sessions.current(parsed.digest)

    sessions.end(parsed.digest)
    sessions._keep(parsed.digest, late, keyed.world.clock.monotonic())

    latest = sessions.current(parsed.digest)
    assert latest is not None
    assert latest.ended is not None


def test_the_cache_of_sessions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web_tier.auth.sessions.KEPT_SESSIONS", 5)
    keyed = Keyed()
    sessions = Sessions(keyed.ledger, keyed.world.clock)

    for number in range(20):
        sessions.current(f"{number:064x}")

    assert len(sessions._read) == 5


# What browsers keep.


def test_pages_and_what_is_answered_to_a_session_are_stored_nowhere() -> None:
    keyed = Keyed()
    key = keyed.key()
    job = keyed.job(key, done=True)
    log_in(keyed, key)
    people = {"Accept": "text/html"}
    pages = ["/", "/jobs", f"/jobs/{job.id}", "/fleet", "/docs", "/login", "/jobs/nowhere"]
    files = [f"/v1/jobs/{job.id}", f"/v1/jobs/{job.id}/atoms", f"/v1/jobs/{job.id}/record"]

    for path in pages:
        answer = keyed.ask("GET", path, headers=people)
        assert answer.mimetype == "text/html"
        assert answer.headers["Cache-Control"] == "no-store", path
    for path in files:
        answer = keyed.ask("GET", path)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store", path
        again = keyed.ask("GET", path, headers={"If-None-Match": answer.headers["ETag"]})
        assert again.headers["Cache-Control"] == "no-store", path


def test_programs_with_a_key_keep_what_cannot_change() -> None:
    keyed = Keyed()
    key = keyed.key()
    job = keyed.job(key, done=True)

    answer = keyed.ask("GET", f"/v1/jobs/{job.id}/atoms", key)
    etag = {"If-None-Match": answer.headers["ETag"]}

    assert "max-age" in answer.headers["Cache-Control"]
    assert keyed.ask("GET", f"/v1/jobs/{job.id}/atoms", key, headers=etag).status_code == 304


def test_logging_in_and_out_is_stored_nowhere_and_logging_out_clears_the_cache() -> None:
    keyed = Keyed()

    entered = log_in(keyed, keyed.key())
    left = keyed.ask("POST", "/logout")

    assert entered.headers["Cache-Control"] == left.headers["Cache-Control"] == "no-store"
    assert left.headers["Clear-Site-Data"] == '"cache"'


@pytest.mark.parametrize("path", ["/login", "/v1/jobs", "/healthz", "/nowhere"])
def test_over_tls_browsers_are_asked_to_stay_there_and_else_not(path: str) -> None:
    keyed = Keyed(proxies=1)

    plain, secure = keyed.ask("GET", path), keyed.ask("GET", path, headers=TLS)

    assert "Strict-Transport-Security" not in plain.headers
    assert secure.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_while_open_there_are_no_sessions() -> None:
    site = Site()

    for path, form in (("/login", {"key": "x"}), ("/logout", {})):
        answer = site.client.post(path, data=form)
        assert answer.status_code == 303
        assert PLAIN_NAME not in answer.headers.get("Set-Cookie", "").replace(f"{PLAIN_NAME}=;", "")


def test_a_sessions_scope_is_its_keys() -> None:
    keyed = Keyed()
    log_in(keyed, keyed.key(scopes=frozenset({Scope.READ})))

    answer = keyed.ask("POST", "/v1/jobs", json={"grid_size": 4, "atom_count": 5})

    problem(answer, 403, "scope_missing")
