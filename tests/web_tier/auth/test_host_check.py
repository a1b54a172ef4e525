"""By which names a server may be asked for: a page that rebinds its own name is told no."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from werkzeug.test import create_environ
from werkzeug.wrappers import Response

from tests.harness.web_http import SMALL, Site
from tests.harness.web_keys import Keyed
from web_tier.auth.host_check import is_ours, name_of
from web_tier.auth.policy import Access
from web_tier.auth.settings import AccessSettings

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

REBOUND = "evil.example:8080"
LOOPBACK = [
    "localhost", "localhost:8080", "LOCALHOST.:80", "127.0.0.1", "127.0.0.1:8080", "[::1]",
    "[::1]:8080",
]  # fmt: skip
FOREIGN = [
    REBOUND, "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1:80",
    "[2001:db8::1]:80", "127.0.0.1@evil.example", "evil.example:localhost", "0.0.0.0", "local host",
]  # fmt: skip


def get(site: Site, host: str, path: str = "/v1/jobs") -> TestResponse:
    return site.client.get(path, headers={"Host": host})


@pytest.mark.parametrize("host", LOOPBACK)
def test_this_machines_own_names_are_served_on_any_port(host: str) -> None:
    assert get(Site(), host).status_code == 200


@pytest.mark.parametrize("host", FOREIGN)
def test_while_open_another_name_is_told_what_to_do(host: str) -> None:
    response = get(Site(), host)

    assert response.status_code == 421
    assert response.content_type == "application/problem+json"
    assert response.json is not None
    assert response.json["code"] == "unknown_host"
    assert repr(host) in response.json["detail"]
    assert "GRIDWELL_HOSTS" in response.json["detail"]


@pytest.mark.parametrize("path", ["/", "/v1/fleet", "/openapi.json", "/nowhere", "/metrics"])
def test_a_page_that_rebinds_its_name_reads_nothing(path: str) -> None:
    assert get(Site(), REBOUND, path).status_code == 421


def test_a_page_that_rebinds_its_name_changes_nothing() -> None:
    # To the browser it is of our origin, so that no other header tells.
    site = Site()
    headers = {"Host": REBOUND, "Origin": f"http://{REBOUND}", "Sec-Fetch-Site": "same-origin"}

    assert site.client.post("/v1/jobs", json=SMALL, headers=headers).status_code == 421
    assert site.client.post("/jobs", data={}, headers=headers).status_code == 421
    assert site.world.ledger.unfinished() == []


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_whoever_watches_over_a_process_may_call_it_as_it_likes(path: str) -> None:
    assert get(Site(), "10.0.0.7:8080", path).status_code == 200


def test_names_that_the_operator_gives_are_served_besides() -> None:
    site = Site(access=Access(hosts=frozenset({"grid.example.org"})))

    assert get(site, "Grid.Example.ORG:443").status_code == 200
    assert get(site, "localhost").status_code == 200
    assert get(site, "evil.example").status_code == 421


@pytest.mark.parametrize(("hosts", "status"), [(None, 200), (frozenset({"grid.example.org"}), 421)])
def test_with_keys_any_name_will_do_unless_the_operator_gives_some(
    hosts: frozenset[str] | None, status: int
) -> None:
    keyed = Keyed(hosts=hosts)

    answer = keyed.ask("GET", "/v1/jobs", keyed.key(), headers={"Host": REBOUND})

    assert answer.status_code == status


@pytest.mark.parametrize(
    "host", ["[::1].evil.example", "127.0.0.1:evil", "localhost:80:80", "[::1"]
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/healthz"])
def test_a_malformed_host_is_refused_on_every_route(host: str, path: str) -> None:
    assert get(Site(), host, path).status_code == (400 if path == "/healthz" else 421)
    keyed = Keyed()
    answer = keyed.ask("GET", path, keyed.key(), headers={"Host": host})
    assert (answer.status_code, answer.json and answer.json["code"]) == (400, "malformed_host")


@pytest.mark.parametrize(("protocol", "status"), [("HTTP/1.1", 400), ("HTTP/1.0", 200)])
def test_a_request_without_a_host_is_one_of_http_1_0(protocol: str, status: int) -> None:
    environ = create_environ("/healthz") | {"SERVER_PROTOCOL": protocol}
    del environ["HTTP_HOST"]

    assert Response.from_app(Site().app, environ).status_code == status


def test_a_forwarded_name_is_not_believed() -> None:
    site = Site(access=Access(proxies=1))
    headers = {"Host": REBOUND, "X-Forwarded-Host": "localhost"}

    assert site.client.get("/v1/jobs", headers=headers).status_code == 421


def test_who_sends_no_name_is_no_browser() -> None:
    assert is_ours(None, ())
    assert is_ours("", ())


@given(st.text(max_size=30))
def test_any_header_has_a_name_and_it_is_told_apart_from_ours(host: str) -> None:
    assert ":" not in name_of(host) or host.strip().startswith("[")
    assert not is_ours(f"{host}.evil.example", ()) or ":" in host


def settings(**values: str) -> AccessSettings:
    return AccessSettings(**values)  # type: ignore[arg-type]


def test_the_setting_is_a_list_of_names() -> None:
    assert settings().names == frozenset()
    assert settings(access="keys").names == frozenset()
    given = " Grid.example.org, 10.0.0.7,[::2] ,"
    expected = frozenset({"grid.example.org", "10.0.0.7", "[::2]"})
    assert settings(hosts=given).names == expected
    assert settings(hosts=given, access="keys").names == expected


@pytest.mark.parametrize("wrong", ["https://a.example", "a.example:80", "*.a.example", "a b"])
def test_what_is_no_name_is_told(wrong: str) -> None:
    with pytest.raises(ValidationError, match="no name of a host"):
        settings(hosts=f"b.example,{wrong}")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "grid.example.org"])
def test_a_server_that_others_reach_needs_a_name(host: str) -> None:
    with pytest.raises(ValidationError, match="set GRIDWELL_HOSTS to the names"):
        settings(access="keys", host=host)
    named = settings(access="keys", host=host, hosts="grid.example.org")
    assert named.names == {"grid.example.org"}


def test_on_loopback_no_name_needs_to_be_given() -> None:
    assert settings(access="keys").names == settings().names == frozenset()


@pytest.mark.parametrize(
    ("hosts", "host", "shown"),
    [
        (None, "evil.example", "curl -s $GRIDWELL_URL/v1/jobs"),
        (None, "localhost:81", "curl -s http://localhost:81/v1/jobs"),
        (frozenset({"grid.example.org"}), "grid.example.org", "http://grid.example.org/v1/jobs"),
    ],
)
def test_the_example_on_the_first_page_shows_no_name_that_only_the_request_claims(
    hosts: frozenset[str] | None, host: str, shown: str
) -> None:
    keyed = Keyed(hosts=hosts)

    page = keyed.ask("GET", "/", keyed.key(), headers={"Host": host})

    assert shown in page.text
    assert "evil.example" not in page.text
