"""What the security log tells: who, what, from where, in which request, and never a secret."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.access.keys import Scope
from gridwell.access.quota import Quota
from gridwell.access.session import LIFE_SECONDS
from gridwell.program.logs import CLIENT, REQUEST, JsonFormatter, TextFormatter
from tests.browser.fleet import an_hour
from tests.harness.web_http import SMALL, Site
from tests.harness.web_keys import Keyed, key_id
from web_tier.auth.key_cache import KEPT_SECONDS
from web_tier.auth.log_sampling import OTHERS, SUBJECTS, WINDOW_SECONDS, Line, Sampler
from web_tier.auth.route_rules import RouteKind
from web_tier.auth.security_log import Event
from web_tier.jobs.quota_check import QuotaCheck

if TYPE_CHECKING:
    from collections.abc import Callable

WRONG = "gw_" + "0" * 12 + "_" + "A" * 43


@dataclass
class Log:
    """The security events among what was logged."""

    caplog: pytest.LogCaptureFixture

    @property
    def records(self) -> list[logging.LogRecord]:
        return self.caplog.records

    def of(self, event: Event) -> list[dict[str, Any]]:
        return [vars(record) for record in self.records if vars(record).get("action") == event]

    def only(self, event: Event) -> dict[str, Any]:
        (found,) = self.of(event)
        return found


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    caplog.set_level(logging.INFO)
    return Log(caplog)


def test_a_key_that_is_accepted_is_told_once_in_half_a_minute(log: Log) -> None:
    keyed = Keyed()
    key = keyed.key()

    answers = [keyed.ask("GET", "/v1/jobs", key) for _ in range(5)]

    told = log.only(Event.KEY_ACCEPTED)
    assert (told["client"], told["key"], told["address"]) == ("alice", key_id(key), "127.0.0.1")
    assert told["request"] == answers[0].headers["X-Request-ID"]
    assert told["route"] == "GET /v1/jobs"
    assert told["levelname"] == "INFO"

    keyed.world.clock.advance(KEPT_SECONDS)
    keyed.ask("GET", "/v1/jobs", key)
    assert len(log.of(Event.KEY_ACCEPTED)) == 2


def _missing(keyed: Keyed) -> str:
    keyed.ask("GET", "/v1/jobs")
    return ""


def _wrong(keyed: Keyed) -> str:
    keyed.ask("GET", "/v1/jobs", WRONG)
    return "0" * 12


def _wrong_at_login(keyed: Keyed) -> str:
    keyed.ask("POST", "/login", data={"key": WRONG})
    return "0" * 12


def _expired(keyed: Keyed) -> str:
    key = keyed.key(lifetime=60.0)
    keyed.world.clock.advance(60.0)
    keyed.ask("GET", "/v1/jobs", key)
    return key_id(key)


def _revoked(keyed: Keyed) -> str:
    key = keyed.key()
    keyed.ledger.revoke_key(key_id(key), now=keyed.world.clock.now())
    keyed.ask("GET", "/v1/jobs", key, headers={"Accept": "text/html"})
    return key_id(key)


def _session_over(keyed: Keyed) -> str:
    key = keyed.key()
    keyed.ask("POST", "/login", data={"key": key})
    cookie = keyed.site.client.get_cookie("gridwell_session")
    assert cookie is not None
    keyed.world.clock.advance(LIFE_SECONDS)
    keyed.site.client.set_cookie("gridwell_session", cookie.value)
    keyed.ask("GET", "/jobs", headers={"Accept": "text/html"})
    return key_id(key)


def _scope(keyed: Keyed) -> str:
    key = keyed.key(scopes=frozenset({Scope.READ}))
    keyed.submit(key)
    return key_id(key)


def _scope_inside_a_view(keyed: Keyed) -> str:
    job = keyed.job(keyed.key(), done=True)
    key = keyed.key(scopes=frozenset({Scope.READ}))
    keyed.ask("GET", f"/v1/jobs/{job.id}/result?top=3", key)
    return key_id(key)


def _not_owner(keyed: Keyed) -> str:
    job = keyed.job(keyed.key("bob"), done=False)
    key = keyed.key()
    keyed.ask("GET", f"/v1/jobs/{job.id}", key)
    return key_id(key)


def _not_owner_cancels(keyed: Keyed) -> str:
    job = keyed.job(keyed.key("bob"), done=False)
    key = keyed.key()
    keyed.ask("DELETE", f"/v1/jobs/{job.id}", key)
    return key_id(key)


def _cross_site(keyed: Keyed) -> str:
    keyed.ask("POST", "/logout", headers={"Origin": "https://evil.example"})
    return ""


def _unknown_host(keyed: Keyed) -> str:
    keyed.ask("GET", "/v1/jobs", headers={"Host": "evil.example"})
    return ""


def _too_many_requests(keyed: Keyed) -> str:
    key = keyed.key()
    for _ in range(4):
        keyed.ask("GET", "/v1/jobs", key)
    return key_id(key)


def _too_many_failures(keyed: Keyed) -> str:
    for number in range(4):
        keyed.ask("GET", "/v1/jobs", f"gw_{number:012x}_" + "A" * 43)
    return f"{3:012x}"


def _over_quota(keyed: Keyed) -> str:
    key = keyed.key()
    for seed in range(2):
        keyed.submit(key, SMALL | {"seed": seed})
    return key_id(key)


def _too_long(keyed: Keyed) -> str:
    key = keyed.key()
    keyed.submit(key, {"grid_size": 100, "atom_count": 5000, "keep_grid": True})
    return key_id(key)


REFUSALS: list[tuple[Event, Callable[[Keyed], str], str, str]] = [
    (Event.KEY_MISSING, _missing, "", "GET /v1/jobs"),
    (Event.KEY_WRONG, _wrong, "", "GET /v1/jobs"),
    (Event.KEY_WRONG, _wrong_at_login, "", "POST /login"),
    (Event.KEY_EXPIRED, _expired, "alice", "GET /v1/jobs"),
    (Event.KEY_REVOKED, _revoked, "alice", "GET /v1/jobs"),
    (Event.SESSION_OVER, _session_over, "alice", "GET /jobs"),
    (Event.SCOPE_MISSING, _scope, "alice", "POST /v1/jobs"),
    (Event.SCOPE_MISSING, _scope_inside_a_view, "alice", "GET /v1/jobs/<job_id>/result"),
    (Event.NOT_OWNER, _not_owner, "alice", "GET /v1/jobs/<job_id>"),
    (Event.NOT_OWNER, _not_owner_cancels, "alice", "DELETE /v1/jobs/<job_id>"),
    (Event.CROSS_SITE, _cross_site, "", "POST /logout"),
    (Event.UNKNOWN_HOST, _unknown_host, "", "GET /v1/jobs"),
    (Event.TOO_MANY_REQUESTS, _too_many_requests, "alice", "GET /v1/jobs"),
    (Event.TOO_MANY_FAILURES, _too_many_failures, "", "GET /v1/jobs"),
    (Event.OVER_QUOTA, _over_quota, "alice", "POST /v1/jobs"),
    (Event.OVER_QUOTA, _too_long, "alice", "POST /v1/jobs"),
]


@pytest.mark.parametrize(
    ("event", "refuse", "client", "route"),
    REFUSALS,
    ids=[refuse.__name__.strip("_") for _, refuse, _, _ in REFUSALS],
)
def test_each_refusal_is_told_with_who_and_where(
    log: Log, event: Event, refuse: Callable[[Keyed], str], client: str, route: str
) -> None:
    keyed = Keyed(
        limits={RouteKind.READS: "3/day"},
        failure_limit="3/day",
        hosts=frozenset({"grid.example.org"}),
    )
    ledger = keyed.ledger
    keyed = Keyed(
        limits=keyed.limits,
        failure_limit=keyed.failure_limit,
        hosts=keyed.hosts,
        world=keyed.world,
        ledger=ledger,
        allowance=QuotaCheck(
            quota=Quota(unfinished=1, job_seconds=1.0),
            jobs=keyed.world.ledger,
            spending=ledger,
            clock=keyed.world.clock,
        ),
    )

    key = refuse(keyed)

    told = log.only(event)
    assert told.get("key", "") == key
    assert told.get("client", "") == client
    assert told["route"] == route
    assert told["address"] == "127.0.0.1"
    assert len(told["request"]) == 16
    assert told["levelname"] == ("INFO" if event is Event.KEY_MISSING else "WARNING")


def test_all_events_are_tested_here() -> None:
    tested = {event for event, *_ in REFUSALS} | {
        Event.KEY_ACCEPTED,
        Event.LOGIN,
        Event.LOGOUT,
        Event.INSTANCE_KILLED,
        Event.JOB_ACCEPTED,
        Event.JOB_CANCELLED,
    }

    assert tested == set(Event)


def test_logging_in_and_out_is_told(log: Log) -> None:
    keyed = Keyed()
    first, second = keyed.key("alice"), keyed.key("bob")

    keyed.ask("POST", "/login", data={"key": first})
    keyed.ask("POST", "/login", data={"key": second})
    keyed.ask("POST", "/logout")
    keyed.ask("POST", "/logout")

    assert [told["client"] for told in log.of(Event.LOGIN)] == ["alice", "bob"]
    assert [told["client"] for told in log.of(Event.LOGOUT)] == ["alice", "bob"]
    assert log.of(Event.LOGOUT)[1]["route"] == "POST /logout"


def test_a_killed_instance_is_told_with_who_killed_it(log: Log) -> None:
    killed: list[str] = []
    keyed = Keyed(kill=killed.append)
    keyed.world.ledger.write_view(an_hour(keyed.world.clock.now(), first="i-0abc"))
    key = keyed.key(scopes=frozenset({Scope.ADMIN}))

    keyed.ask("POST", "/fleet/i-0abc/kill", key)

    assert killed == ["i-0abc"]
    told = log.only(Event.INSTANCE_KILLED)
    assert (told["client"], told["key"], told["reason"]) == ("alice", key_id(key), "i-0abc")


def test_jobs_that_are_accepted_and_cancelled_are_told_with_their_client(log: Log) -> None:
    keyed = Keyed()
    key = keyed.key()
    job = keyed.job(key, done=False)
    keyed.submit(key, SMALL | {"seed": 99})  # joins
    keyed.ask("DELETE", f"/v1/jobs/{job.id}", key)
    keyed.ask("DELETE", f"/v1/jobs/{job.id}", key)

    for event in (Event.JOB_ACCEPTED, Event.JOB_CANCELLED):
        told = log.only(event)
        assert (told["client"], told["key"], told["job"]) == ("alice", key_id(key), job.id)


def test_while_open_jobs_are_told_too(log: Log) -> None:
    site = Site()

    site.post(SMALL)

    assert log.only(Event.JOB_ACCEPTED)["client"] == "public"


def test_no_line_has_a_secret_and_each_is_one_printable_line(log: Log) -> None:
    keyed = Keyed(failure_limit="9/day", hosts=frozenset())
    key = keyed.key()
    secret = key.split("_", 2)[2]
    evil = "evil\u202e.example"
    keyed.ask("POST", "/login", data={"key": key})
    cookie = keyed.site.client.get_cookie("gridwell_session")
    assert cookie is not None
    keyed.ask("GET", "/v1/jobs", key[:-1])
    keyed.ask("GET", "/v1/jobs", f"{WRONG}\x1b[31m")
    keyed.ask("GET", "/v1/jobs", headers={"Host": evil.encode().decode("latin-1")})
    keyed.ask("POST", "/logout", headers={"Origin": "x\x1by \u00e9" * 99})
    keyed.ask("GET", f"/v1/jobs/{key}", key)
    keyed.ask("POST", "/logout")

    lines = [JsonFormatter().format(record) for record in log.records]
    texts = [record.getMessage() for record in log.records]
    for line in [*lines, *texts]:
        assert secret[:-1] not in line
        assert cookie.value.rsplit("_", 1)[0] not in line
        assert line.isascii()
        assert line.isprintable()
        assert len(line) < 1100
    assert len(log.records) > 4


def test_each_line_of_a_request_has_its_id_and_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    keyed = Keyed()
    lines: list[str] = []
    texts: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(JsonFormatter().format(record))
            texts.append(TextFormatter().format(record))

    view = keyed.site.app.view_functions["jobs.recent"]

    def talks(**options: Any) -> Any:
        logging.getLogger("elsewhere").warning("something")
        return view(**options)

    monkeypatch.setitem(keyed.site.app.view_functions, "jobs.recent", talks)
    handler = Handler()
    logging.getLogger("elsewhere").addHandler(handler)
    try:
        answer = keyed.ask("GET", "/v1/jobs", keyed.key())
        keyed.ask("GET", "/healthz")
        logging.getLogger("elsewhere").warning("after it")
    finally:
        logging.getLogger("elsewhere").removeHandler(handler)

    assert f'"request":"{answer.headers["X-Request-ID"]}"' in lines[0]
    assert '"client":"alice"' in lines[0]
    assert texts[0].endswith(f" request={answer.headers['X-Request-ID']} client=alice")
    assert texts[1].endswith("after it")
    assert "client" not in lines[1]
    assert (REQUEST.get(), CLIENT.get()) == ("", "")


# Equal events.


def test_many_wrong_keys_of_an_address_are_a_line_and_then_a_count(log: Log) -> None:
    keyed = Keyed()
    for number in range(500):
        keyed.ask("GET", "/v1/jobs", f"gw_{number:012x}_" + "A" * 43)
    assert len(log.of(Event.KEY_WRONG)) == 1

    keyed.world.clock.advance(WINDOW_SECONDS)
    keyed.ask("GET", "/v1/jobs", WRONG)

    told = log.of(Event.KEY_WRONG) + log.of(Event.TOO_MANY_FAILURES)
    assert len(told) == 5  # of each the first and the rest, and the last one
    assert sum(each.get("count", 1) for each in told) == 501


def test_a_count_is_of_who_caused_it_and_not_of_whose_request_is_served_then(
    log: Log,
) -> None:
    lines: list[dict[str, Any]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(JsonFormatter().format(record)))

    keyed = Keyed()
    job = keyed.job(keyed.key("bob"), done=False)
    mallory, alice = keyed.key("mallory"), keyed.key("alice")
    for _ in range(3):
        keyed.ask("GET", f"/v1/jobs/{job.id}", mallory)
    for _ in range(2):
        keyed.ask("GET", "/v1/jobs", WRONG)
    keyed.world.clock.advance(WINDOW_SECONDS)
    handler = Handler()
    logging.getLogger("web_tier.auth.security_log").addHandler(handler)
    try:
        keyed.ask("GET", f"/v1/jobs/{job.id}", alice)
    finally:
        logging.getLogger("web_tier.auth.security_log").removeHandler(handler)

    (counted,) = [line for line in lines if line.get("count") == 2]
    assert (counted["client"], counted["key"]) == ("mallory", key_id(mallory))
    assert counted["request"] == ""
    (wrong,) = [line for line in lines if line["action"] == Event.KEY_WRONG]
    assert (wrong["client"], wrong["key"]) == ("", "0" * 12)
    (hers,) = [
        line for line in lines if line["client"] == "alice" and line["action"] == Event.NOT_OWNER
    ]
    assert hers["request"]


def test_wrong_keys_of_many_addresses_are_some_lines_and_then_a_count(log: Log) -> None:
    keyed = Keyed()
    for number in range(300):
        base = {"REMOTE_ADDR": f"10.0.{number // 256}.{number % 256}"}
        keyed.ask("GET", "/v1/jobs", WRONG, environ_base=base)

    assert len(log.of(Event.KEY_WRONG)) == SUBJECTS + 1


def test_other_events_are_still_told_while_one_floods(log: Log) -> None:
    keyed = Keyed()
    for number in range(300):
        base = {"REMOTE_ADDR": f"10.0.{number // 256}.{number % 256}"}
        keyed.ask("GET", "/v1/jobs", WRONG, environ_base=base)
    job = keyed.job(keyed.key("bob"), done=False)

    keyed.ask("GET", f"/v1/jobs/{job.id}", keyed.key("alice"))

    assert log.only(Event.NOT_OWNER)["client"] == "alice"


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 2 * SUBJECTS), st.floats(0, 20)),
        max_size=200,
    )
)
def test_a_sampler_loses_no_event_and_writes_a_bounded_number_of_lines(
    events: list[tuple[str, int, float]],
) -> None:
    sampler, now, lines = Sampler(), 0.0, list[Line]()
    for event, subject, seconds in events:
        now += seconds
        lines += sampler.note(event, str(subject), {"subject": str(subject)}, now=now)
    left = sampler.note("end", "", {}, now=now + WINDOW_SECONDS + 1)

    for event in ("a", "b"):
        happened = sum(1 for each, *_ in events if each == event)
        assert sum(line.count for line in [*lines, *left] if line.event == event) == happened
        written = sum(1 for line in lines if line.event == event)
        assert written <= 2 * (SUBJECTS + 1) * (1 + now / WINDOW_SECONDS)
    assert all(line.fields["subject"] for line in lines)
    assert len(sampler._windows) <= 1
    assert OTHERS not in {str(subject) for _, subject, _ in events}
