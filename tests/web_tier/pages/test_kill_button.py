"""The button that kills an instance: only where that is on offer, and only ours."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from gridwell.access.keys import Scope
from gridwell.adapters.http_kill import HttpKill
from gridwell.engine.errors import ServiceBusy, WrongState
from gridwell.engine.ports import Depth
from gridwell.fleet.model import FleetView, InstanceView
from tests.harness.builders import NOW
from tests.harness.web_http import Site
from tests.harness.web_keys import USUAL, Keyed

if TYPE_CHECKING:
    from collections.abc import Iterator


ON = InstanceView(id="i-on", state="running", slot=0, since=NOW)
OFF = InstanceView(id="i-off", state="stopped", slot=1, since=NOW)
VIEW = FleetView(at=NOW, instances=(ON, OFF), queue=Depth(visible=0, in_flight=0), cap=4)


def a_site(killed: list[str] | None, error: Exception | None = None) -> Site:
    def kill(instance: str) -> None:
        assert killed is not None
        if error is not None:
            raise error
        killed.append(instance)

    site = Site(kill=None if killed is None else kill)
    site.world.ledger.write_view(VIEW)
    return site


def test_only_what_is_on_has_the_button() -> None:
    page = a_site([]).client.get("/fleet").get_data(as_text=True)

    assert 'action="/fleet/i-on/kill"' in page
    assert "i-off/kill" not in page


def test_only_who_may_kill_has_the_button() -> None:
    keyed = Keyed(kill=lambda _: None)
    keyed.world.ledger.write_view(VIEW)

    for scopes, shown in ((USUAL, False), (frozenset({Scope.ADMIN}), True)):
        page = keyed.ask("GET", "/fleet", keyed.key(scopes=scopes)).text
        assert ("i-on/kill" in page) is shown


def test_pressed_it_kills_and_shows_the_fleet() -> None:
    killed: list[str] = []

    answer = a_site(killed).client.post("/fleet/i-on/kill")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/fleet")
    assert killed == ["i-on"]


def test_where_it_is_not_on_offer_there_is_neither_button_nor_address() -> None:
    site = a_site(None)

    assert "/kill" not in site.client.get("/fleet").get_data(as_text=True)
    assert site.client.post("/fleet/i-on/kill").status_code == 404


def test_what_is_not_of_the_fleet_is_not_killed() -> None:
    killed: list[str] = []

    assert a_site(killed).client.post("/fleet/i-other/kill").status_code == 404
    assert killed == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_another_sites_form_kills_nothing(headers: dict[str, str]) -> None:
    killed: list[str] = []

    answer = a_site(killed).client.post("/fleet/i-on/kill", headers=headers)

    assert (answer.status_code, killed) == (403, [])


def test_one_that_has_gone_meanwhile_is_just_shown() -> None:
    site = a_site([], WrongState("no machine is on"))

    assert site.client.post("/fleet/i-on/kill").status_code == 303


@pytest.fixture
def refusing() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(409)
            self.end_headers()
            self.wfile.write(b"no such machine")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_refusal_and_a_silence_are_told_apart(refusing: str) -> None:
    with pytest.raises(WrongState, match="no such machine"):
        HttpKill(refusing)("i-1")
    with pytest.raises(ServiceBusy, match="does not answer"):
        HttpKill("http://127.0.0.1:9/")("i-1")


@pytest.mark.parametrize(("key", "sent"), [("a-key", "Bearer a-key"), ("", None)])
def test_the_key_goes_along_as_a_bearer_token(key: str, sent: str | None) -> None:
    seen: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        HttpKill(f"http://127.0.0.1:{server.server_port}/", key=key)("i-1")
        thread.join()

    assert seen == [sent]
