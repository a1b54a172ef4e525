"""The endpoint at which faults are planned while the region runs, and its commands."""

from __future__ import annotations

import http.client
import json
import threading
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from gridwell.engine.errors import ServiceError
from gridwell.local_stack.cli import local
from gridwell.local_stack.faults.client import RemoteFaults
from gridwell.local_stack.faults.control_endpoint import PATH
from gridwell.local_stack.faults.presets import PRESETS
from gridwell.local_stack.state import Running, StateFolder
from tests.harness.waiting import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness.local_region import Bench
    from tests.local_stack.conftest import Region


def test_a_region_that_is_away_serves_its_calls_when_it_is_back(bench: Bench) -> None:
    bench.remote.away(3600)
    sender = threading.Thread(target=bench.send, args=("a",))
    sender.start()
    sender.join(0.2)
    assert sender.is_alive()
    assert bench.remote.report()["away_seconds"] > 3000

    bench.remote.away(0)

    sender.join(DEADLINE)
    assert bench.depth() == 1


def test_a_region_without_faults_has_no_such_endpoint(region: Region) -> None:
    with pytest.raises(ServiceError, match="gridwell local up --faults none"):
        RemoteFaults(region.endpoint, access_key=region.access_key).report()


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "words"),
    [
        ("GET", "", {"Host": "evil.example:80"}, "", 403, "evil.example"),
        ("PUT", "", {"Content-Type": "text/plain"}, "{}", 415, "application/json"),
        ("PUT", "", {}, '{"faults": [{"kind": "x"}]}', 400, "kind 'x' is unknown"),
        ("DELETE", "", {}, "", 405, "there are GET and PUT"),
        ("POST", "/stop", {}, "{}", 405, "away, empty and duplicate"),
        ("POST", "/away", {}, '{"seconds": "5"}', 400, "seconds must be a number"),
        ("POST", "/away", {}, '{"second": 5}', 400, "away takes an object with 'seconds' alone"),
        ("POST", "/away", {}, "five", 400, "must be JSON"),
    ],
)
def test_the_endpoint_refuses_what_it_does_not_understand(
    bench: Bench,
    method: str,
    path: str,
    headers: dict[str, str],
    body: str,
    status: int,
    words: str,
) -> None:
    host = bench.region.endpoint.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=DEADLINE)
    key = f"Bearer {bench.region.access_key}"
    sent = {"Content-Type": "application/json", "Authorization": key} | headers

    connection.request(method, PATH + path, body, sent)

    reply = connection.getresponse()
    assert reply.status == status
    assert words in json.load(reply)["error"]
    connection.close()


@pytest.fixture
def state(bench: Bench, tmp_path: Path) -> Iterator[Path]:
    """The folder of a stack that says it runs in the faulty region."""
    folder = StateFolder(tmp_path)
    with folder.held():
        endpoint = bench.region.endpoint
        folder.announce(
            Running(
                url="",
                endpoint=endpoint,
                memcached="",
                max_instances=1,
                environment={"AWS_ACCESS_KEY_ID": bench.region.access_key},
            )
        )
        yield tmp_path


def command(state: Path, *words: str) -> Result:
    return CliRunner().invoke(local, ["faults", f"--state={state}", *words])


def test_the_command_plans_faults_and_counts_them(bench: Bench, state: Path) -> None:
    planned = command(state, "plan", "wild", "--seed=9")
    count = len(PRESETS["wild"].faults)
    assert (planned.exit_code, planned.stderr) == (0, f"{count} faults are planned, seed 9\n")
    bench.plan("reply late", seconds=0)
    bench.send("a", "b")

    shown, data = command(state), command(state, "--json")

    assert "1  reply late: the call has its effect" in shown.stdout
    assert json.loads(data.stdout)["injected"] == {"reply late": 1}
    assert command(state, "plan", "none").exit_code == 0
    assert bench.remote.report()["plan"]["faults"] == []


def test_the_command_empties_and_doubles_queues_and_goes_away(bench: Bench, state: Path) -> None:
    bench.send("a", "b")

    assert "2 messages" in command(state, "duplicate", bench.queue).stderr
    assert "4 messages" in command(state, "empty", bench.queue).stderr
    assert command(state, "away", "30").exit_code == 0
    assert "the region is away for" in command(state).stdout
    assert command(state, "away", "0").exit_code == 0
    assert bench.depth() == 0


def test_the_command_says_what_is_wrong(state: Path, tmp_path: Path) -> None:
    unknown = command(state, "plan", "milt")
    nowhere = command(tmp_path / "nowhere")

    assert "neither a preset (none, mild, wild) nor a file" in unknown.stderr
    assert "start it with `gridwell local up --faults none`" in nowhere.stderr
    assert unknown.exit_code == nowhere.exit_code == 1


def test_a_wrong_plan_is_refused_before_anything_starts(tmp_path: Path) -> None:
    for words in (["--faults=milt"], ["--faults-seed=3"]):
        result = CliRunner().invoke(local, ["up", f"--state={tmp_path / 'state'}", *words])
        assert result.exit_code != 0
        assert not (tmp_path / "state").exists()
