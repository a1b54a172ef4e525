"""Web pages and other users of the machine against everything that `gridwell local up` opens.

What is open comes from the kernel, so a port that a later version opens is tried as well.
"""

from __future__ import annotations

import base64
import http.server
import json
import os
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import pytest
import requests

from gridwell.local_stack.memcached import connect
from tests.browser.conftest import launched
from tests.chaos.stack import region_client
from tests.end_to_end.listeners import Listeners, listeners_of
from tests.harness.users import NOBODY, needs_another_user, run_as_nobody
from tests.harness.waiting import DEADLINE, await_true

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page, Playwright

    from tests.end_to_end.conftest import Stack

pytestmark = pytest.mark.timeout(300)
EVIL = "evil.example"
BASE_IMAGE = "ami-00000000000000001"
#: Everything that a page can send without leave, and what it may read by asking for leave.
#: Answers that give nothing away; what is no HTTP at all gets an error page without a head.
REFUSAL = re.compile(r"HTTP/1\.[01] 40[013] |<!DOCTYPE HTML>(?s:.*)400|!|$")
ATTACK = (Path(__file__).parent / "attack.js").read_text()


@dataclass(frozen=True, slots=True)
class World:
    """All that an attack could change."""

    buckets: list[str]
    queues: list[str]
    images: list[str]
    on_base_image: list[str]  #: instances that no program of the stack launches
    jobs: list[str]
    instance: tuple[str, str]
    cached: bytes
    plan: dict[str, Any]
    code_has_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A stack with everything open: an instance of our own keeps its sockets for the whole test."""

    stack: Stack
    instance: str
    marker: Path  #: a file that an attacker's script would make

    @property
    def listeners(self) -> Listeners:
        """What the kernel says is open now."""
        return listeners_of(self.stack.family)


@pytest.fixture(scope="module")
def instance(stack: Stack) -> Iterator[str]:
    """An instance with user data, beside the fleet's."""
    ec2 = region_client(stack.running, "ec2")
    launched = ec2.run_instances(
        ImageId=BASE_IMAGE,
        InstanceType="t3.small",
        MinCount=1,
        MaxCount=1,
        UserData="#!/bin/sh\nsleep 600\n",
    )
    instance = str(launched["Instances"][0]["InstanceId"])
    await_true(lambda: state_of(stack, instance)[0] == "running")
    yield instance
    ec2.terminate_instances(InstanceIds=[instance])
    await_true(lambda: state_of(stack, instance)[0] == "terminated")


@pytest.fixture
def opened(stack: Stack, instance: str, tmp_path: Path) -> Open:
    with connect(stack.running.memcached, 5) as link:
        link.sendall(b"set canary 0 0 4\r\nsing\r\n")
        assert link.recv(64) == b"STORED\r\n"
    return Open(stack=stack, instance=instance, marker=tmp_path / "code-has-run")


def state_of(stack: Stack, instance: str) -> tuple[str, str]:
    """An instance's state, and the code of the reason for it."""
    reply = region_client(stack.running, "ec2").describe_instances(InstanceIds=[instance])
    found = reply["Reservations"][0]["Instances"][0]
    return found["State"]["Name"], found.get("StateReason", {}).get("Code", "")


def world(opened: Open) -> World:
    stack = opened.stack
    ec2 = region_client(stack.running, "ec2")
    s3 = region_client(stack.running, "s3")
    filters = [{"Name": "image-id", "Values": [BASE_IMAGE]}]
    found = ec2.describe_instances(Filters=filters)["Reservations"]
    jobs = requests.get(f"{stack.url}/v1/jobs", timeout=DEADLINE).json()["jobs"]
    with connect(stack.running.memcached, 5) as link:
        link.sendall(b"get canary\r\n")
        cached = link.recv(64)
    return World(
        buckets=[bucket["Name"] for bucket in s3.list_buckets()["Buckets"]],
        queues=region_client(stack.running, "sqs").list_queues().get("QueueUrls", []),
        images=[image["ImageId"] for image in ec2.describe_images(Owners=["self"])["Images"]],
        on_base_image=[i["InstanceId"] for group in found for i in group["Instances"]],
        jobs=[job["id"] for job in jobs],
        instance=state_of(stack, opened.instance),
        cached=cached,
        plan=stack.remote_faults().report()["plan"],
        code_has_run=opened.marker.exists(),
    )


def run_instances(marker: Path) -> str:
    """The form of a call that runs a script as the user of the stack."""
    script = f"#!/bin/sh\ntouch {marker}\n"
    return urlencode(
        {
            "Action": "RunInstances",
            "Version": "2016-11-15",
            "ImageId": BASE_IMAGE,
            "InstanceType": "t3.small",
            "MinCount": 1,
            "MaxCount": 1,
            "UserData": base64.b64encode(script.encode()).decode(),
        }
    )


class _Blank(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>evil</title>")

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def foreign_site() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Blank) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{EVIL}:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def foreign_page(playwright: Playwright) -> Iterator[Page]:
    """A page of evil.example, a name that leads to this machine, as a rebound one does."""
    rules = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"
    # Chromium's own border, which others have not: it would hide that we have none.
    open_browser = "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWarn"
    with launched(playwright, rules, open_browser) as browser, foreign_site() as site:
        page = browser.new_page()
        page.goto(site)
        yield page


def attack(page: Page, bases: list[str], opened: Open) -> dict[str, Any]:
    """All that the page did at some addresses, by the name of the try: error, or status and text.

    Each is tried without the region's key and with it, as if the key had leaked.
    """
    found: dict[str, Any] = page.evaluate(
        ATTACK,
        {
            "bases": bases,
            "credentials": ["local", opened.stack.running.access_key],
            "runInstances": run_instances(opened.marker),
            "instance": opened.instance,
            "bucket": opened.stack.running.environment["GRIDWELL_BUCKET"],
        },
    )
    assert len(found) > 20 * len(bases)
    return found


def test_a_foreign_page_reads_nothing_and_changes_nothing_at_any_port(
    opened: Open, playwright: Playwright
) -> None:
    before = world(opened)
    ports = {port for _, port in opened.listeners.tcp}
    known = {
        int(url.rpartition(":")[2]) for url in (opened.stack.url, opened.stack.running.endpoint)
    }
    assert known < ports, "web tier, region, and at least one metadata service"

    with foreign_page(playwright) as page:
        for host in ("127.0.0.1", "localhost", EVIL):
            seen = attack(page, [f"http://{host}:{port}" for port in ports], opened)

            read = {name: answer for name, answer in seen.items() if answer.get("status", 0) != 0}
            assert read == {}

    assert world(opened) == before


def test_a_page_that_rebinds_its_name_to_a_port_reads_and_changes_nothing(
    opened: Open, playwright: Playwright
) -> None:
    before = world(opened)

    with foreign_page(playwright) as page:
        for _, port in opened.listeners.tcp:
            # To the browser the page is of the port's own origin: it came before the name moved.
            base = f"http://{EVIL}:{port}"
            page.route(f"{base}/evil", lambda route: route.fulfill(body="<!doctype html>"))
            page.goto(f"{base}/evil")

            seen = attack(page, [base], opened)

            refused = (0, 400, 403, 421)
            assert {n: a for n, a in seen.items() if a.get("status", 0) not in refused} == {}
            assert any(answer.get("status", 0) >= 400 for answer in seen.values())

    assert world(opened) == before


def test_a_form_that_a_page_sends_as_its_own_navigation_changes_nothing(
    opened: Open, playwright: Playwright
) -> None:
    before = world(opened)
    fields = "".join(
        f'<input name="{name}" value="{value}">'
        for name, value in parse_qsl(run_instances(opened.marker))
    )

    with foreign_page(playwright) as page:
        site = page.url
        for _, port in opened.listeners.tcp:
            for path in ("/", "/moto-api/reset", "/_gridwell/kill", "/jobs", "/v1/jobs"):
                page.goto(site)
                target = f"http://127.0.0.1:{port}{path}"
                page.evaluate(
                    "html => { document.body.innerHTML = html }",
                    (f'<form method=post action="{target}">{fields}</form>'),
                )
                with page.expect_navigation() as navigation:
                    page.evaluate("document.forms[0].submit()")

                response = navigation.value
                assert response is not None
                assert response.url == target
                assert 400 <= response.status < 500, (target, response.status)

    assert world(opened) == before


def as_nobody(targets: dict[str, Any], cwd: Path) -> dict[str, Any]:
    """What the stranger found, as user `nobody`."""
    program = (Path(__file__).parent / "stranger.py").read_text()
    found: dict[str, Any] = json.loads(
        run_as_nobody(program, given=json.dumps(targets), cwd=cwd).stdout
    )
    assert found["user"] == NOBODY
    return found


def raw(method: str, path: str, body: str = "", **headers: str) -> str:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Connection: close", "", body])


def requests_of_a_stranger(marker: Path, instance: str) -> dict[str, str]:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    signed = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/ec2/aws4_request, x"
    ttl = {"X_aws_ec2_metadata_token_ttl_seconds": "60"}
    as_json = {"Content_Type": "application/json"}
    return {
        "run": raw("POST", "/", run_instances(marker), Authorization=signed, **form),
        "run unsigned": raw("POST", "/", run_instances(marker), **form),
        "reset": raw("POST", "/moto-api/reset"),
        "list": raw("GET", "/"),
        "kill": raw("POST", "/_gridwell/kill", json.dumps({"instance": instance}), **as_json),
        "faults": raw("PUT", "/_gridwell/faults", '{"seed": 1, "faults": []}', **as_json),
        "token": raw("PUT", "/latest/api/token", **ttl),
        "cache": "flush_all\r\nstats\r\n",
    }


@needs_another_user
def test_another_user_reaches_nothing_but_the_open_web_tier(opened: Open) -> None:
    before, root = world(opened), opened.stack.state.path
    open_now = opened.listeners
    web_port = int(opened.stack.url.rpartition(":")[2])
    everything = [root, *root.rglob("*")]
    pids = [process.pid for process in opened.stack.family.processes()]

    found = as_nobody(
        {
            "tcp": [address for address in open_now.tcp if address[1] != web_port],
            "requests": requests_of_a_stranger(opened.marker, opened.instance),
            "files": [os.path.relpath(path, root.parent) for path in open_now.files],
            "abstract": open_now.abstract,
            "datagrams": open_now.datagrams,
            "paths": [os.path.relpath(path, root.parent) for path in everything],
            "pids": pids,
        },
        cwd=root.parent,
    )

    assert found["readable"] == []
    assert found["environments"] == []
    assert len(everything) > 100
    served = [one for one in found["tcp"] if REFUSAL.match(one[2]) is None]
    assert served == []
    assert found["files"] == [[f"{root.name}/memcached.sock", "!PermissionError"]]
    assert found["abstract"] != []
    assert {reply for _, reply in found["abstract"]} <= {"", "!ConnectionResetError"}
    assert open_now.udp == []
    assert {host for host, _ in open_now.tcp} == {"127.0.0.1"}
    assert world(opened) == before


def test_the_key_is_in_no_command_line(opened: Open) -> None:
    key = opened.stack.running.access_key

    for process in opened.stack.family.processes():
        assert key not in "\0".join(process.arguments), process


def test_the_key_is_in_no_file_of_the_stack_but_the_private_one(opened: Open) -> None:
    key = opened.stack.running.access_key.encode()
    holders = set()
    for path in opened.stack.state.path.rglob("*"):
        if path.is_file() and "images" not in path.parts and "pip-cache" not in path.parts:
            try:
                content = path.read_bytes()
            except FileNotFoundError:  # gone meanwhile
                continue
            if key in content:
                holders.add(path.name)

    assert holders == {"running.json"}
