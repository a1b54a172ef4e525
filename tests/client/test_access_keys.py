"""The client, the command and the load generator where a service asks for keys."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
import requests
from click.testing import CliRunner
from werkzeug.wrappers import Response

from gridwell.access.keys import Scope
from gridwell.cli import main
from gridwell.client import Client, KeyRefused
from gridwell.client.bearer_key import BearerKey
from gridwell.engine.errors import InvalidMessage, ServiceBusy, ServiceError
from gridwell.terminal import ExitStatus
from tests.harness.served_app import Served, serving
from tests.harness.web_keys import Keyed
from workload_generator.service import RequestRefused, ServiceClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.client.grid.request import JobRequest

SMALL: JobRequest = {"grid_size": 4, "atom_count": 5, "seed": 1}
UNKNOWN = "gw_000000000000_" + "A" * 43


@pytest.fixture
def keyed() -> Keyed:
    return Keyed()


@pytest.fixture
def served(keyed: Keyed) -> Iterator[Served]:
    with serving(keyed.site) as running:
        yield running


def test_a_client_with_a_key_has_its_own_jobs(served: Served, keyed: Keyed) -> None:
    with Client(served.url, key=f"{keyed.key('alice')}\n") as alice:  # as read from a file
        job = alice.submit(**SMALL)
        assert [one.id for one in alice.jobs()] == [job.id]
    with Client(served.url, key=keyed.key("bob")) as bob:
        assert list(bob.jobs()) == []


def test_without_a_key_the_words_say_how_to_give_one(served: Served) -> None:
    with Client(served.url) as client, pytest.raises(KeyRefused) as caught:
        client.submit(**SMALL)

    for words in ("asks for a key", "GRIDWELL_KEY", "key=", "gridwell keys create"):
        assert words in str(caught.value)


def test_a_key_that_opens_nothing_is_told_why(served: Served, keyed: Keyed) -> None:
    expired = keyed.key(lifetime=1.0)
    keyed.world.clock.advance(2.0)
    reads = keyed.key(scopes=frozenset({Scope.READ}))

    for key, words in ((UNKNOWN, "not one of ours"), (expired, "expired"), (reads, "needs submit")):
        with (
            Client(served.url, key=key) as client,
            pytest.raises(KeyRefused, match=words) as caught,
        ):
            client.submit(**SMALL)
        assert key[16:] not in str(caught.value)


@pytest.mark.parametrize("text", ["", "secret", "gw_0_short", UNKNOWN + "\r\nX-Evil: 1", "gw_é"])
def test_what_cannot_be_a_key_is_told_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be one") as caught:
        Client("http://127.0.0.1:1", key=text)

    assert not text or text not in str(caught.value)


def test_a_wait_of_seconds_is_kept_and_a_wait_of_hours_is_the_callers(served: Served) -> None:
    body = json.dumps({"detail": "too many"})
    with Client(served.url, retries=3) as client:
        served.troubles = [Response(body, 429, headers={"Retry-After": "1"})]
        started = time.monotonic()
        with pytest.raises(KeyRefused):  # the second answer is the application's
            client.fleet()
        assert time.monotonic() - started >= 1
        assert len(served.requests) == 2

        served.troubles = [Response(body, 429, headers={"Retry-After": "7200"})]
        with pytest.raises(ServiceBusy, match=r"answers 429: too many \(it asks to wait 7200 s\)"):
            client.fleet()
        assert len(served.requests) == 3


def run(url: str, *words: str, key: str | None) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, [*words, "--url", url], env={"GRIDWELL_KEY": key})
    return done.exit_code, done.stdout, done.stderr


def test_the_command_takes_the_key_of_its_environment(served: Served, keyed: Keyed) -> None:
    words = ("submit", "--grid-size", "4", "--atom-count", "5")

    status, out, _ = run(served.url, *words, key=keyed.key("alice"))

    assert status == ExitStatus.DONE
    job = keyed.world.ledger.read(out.strip())
    assert job is not None
    assert job.client == "alice"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (None, "asks for a key"),
        ("", "asks for a key"),
        ("nonsense", "GRIDWELL_KEY"),
        (UNKNOWN, "401"),
    ],
)
def test_a_command_without_the_right_key_is_wrong_usage(
    served: Served, key: str | None, words: str
) -> None:
    status, _, err = run(served.url, "jobs", key=key)

    assert status == ExitStatus.USAGE
    assert words in err
    assert not key or key not in err


OPEN_URLS = [
    "http://grid.example.org",
    "http://grid.example.org:8080/base",
    "http://192.0.2.1",
    "http://10.0.0.1:80",
    "http://[2001:db8::1]",
    "http://localhost.example.org",
    "http://127.0.0.1.example.org",
    "http://127.1",
    "http://0.0.0.0",
    "http://grid.example.org\\@127.0.0.1",
    "http://grid.example.org#@127.0.0.1",
    "http://grid.example.org?@127.0.0.1/",
    "HTTP://GRID.EXAMPLE.ORG",
]


@pytest.mark.parametrize("url", OPEN_URLS)
@pytest.mark.parametrize("kind", [Client, ServiceClient])
def test_a_key_is_not_given_for_http_to_another_machine(
    url: str, kind: type[Client | ServiceClient]
) -> None:
    with pytest.raises(ValueError, match=r"https:// URL.*allow_http=True or GRIDWELL_ALLOW_HTTP=1"):
        kind(url, key=UNKNOWN)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1@grid.example.org", "http://gw:secret@127.0.0.1", "ftp://x", "http:"]
)
def test_an_url_with_a_user_or_of_another_scheme_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="the URL of"):
        Client(url, key=UNKNOWN)


@pytest.mark.parametrize(
    "url",
    [
        "https://grid.example.org",
        "https://192.0.2.1:8443",
        "http://127.0.0.1:8080",
        "http://127.8.0.1",
        "http://[::1]:8080",
        "http://localhost",
        "http://LOCALHOST:8080",
    ],
)
def test_a_key_is_given_for_https_and_for_this_machine(url: str) -> None:
    with Client(url, key=UNKNOWN) as client:
        assert client.url == url


def test_http_to_another_machine_can_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    Client("http://grid.example.org", key=UNKNOWN, allow_http=True).close()
    Client("http://grid.example.org").close()  # without a key there is nothing to read
    monkeypatch.setenv("GRIDWELL_ALLOW_HTTP", "1")
    Client("http://grid.example.org", key=UNKNOWN).close()
    with pytest.raises(ValueError, match="without encryption"):
        Client("http://grid.example.org", key=UNKNOWN, allow_http=False)


def test_a_command_names_the_remedy_where_its_key_would_be_open(keyed: Keyed) -> None:
    status, _, err = run("http://grid.example.org", "jobs", key=keyed.key())

    assert status == ExitStatus.USAGE
    assert "GRIDWELL_ALLOW_HTTP=1" in " ".join(err.split())
    assert "S" * 20 not in err


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed_and_gets_no_key(
    served: Served, keyed: Keyed, code: int
) -> None:
    with serving() as other:
        leading = Response(status=code, headers={"Location": f"{other.url}/v1/fleet"})
        served.troubles = [leading, leading, leading]
        with Client(served.url, key=keyed.key()) as client:
            for call in (client.fleet, lambda: client.submit(**SMALL)):
                with pytest.raises(InvalidMessage, match=f"leads to {other.url}"):
                    call()
        with ServiceClient(served.url, key=keyed.key()) as service, pytest.raises(ServiceError):
            service.fleet()

        assert len(served.requests) == 3
        assert other.requests == []


@pytest.mark.parametrize(
    ("url", "is_sent"),
    [
        ("https://grid.example.org/v1/jobs", True),
        ("https://grid.example.org:443/", True),
        ("https://GRID.example.org/", True),
        ("http://grid.example.org/", False),
        ("https://grid.example.org:8443/", False),
        ("https://other.example.org/", False),
        ("https://grid.example.org.evil.example/", False),
    ],
)
def test_a_key_is_sent_to_its_service_alone(url: str, *, is_sent: bool) -> None:
    request = requests.Request("GET", url, auth=BearerKey(UNKNOWN, "https://grid.example.org"))

    assert ("Authorization" in request.prepare().headers) is is_sent


def test_the_load_generator_takes_a_key_too(served: Served, keyed: Keyed) -> None:
    body = {"grid_size": 4, "atom_count": 5}

    with ServiceClient(served.url, key=keyed.key("load")) as service:
        reply = service.submit(body, wait=0)
    with (
        ServiceClient(served.url) as service,
        pytest.raises(RequestRefused, match="asks for a key"),
    ):
        service.submit(body, wait=0)

    job = keyed.world.ledger.read(reply.job["id"])
    assert job is not None
    assert job.client == "load"
