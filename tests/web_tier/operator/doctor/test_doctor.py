"""What `gridwell doctor` finds, and what it keeps to itself."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from werkzeug.wrappers import Response

from gridwell.adapters.memory import MemoryEc2
from gridwell.engine.errors import ServiceDenied
from gridwell.engine.ports import Depth
from gridwell.fleet.billing import Bill
from gridwell.fleet.model import FleetView, Instance, InstanceState
from gridwell.fleet.refusal import UNFIT, Cause, Refusal
from tests.harness.builders import NOW
from tests.harness.served_app import Served, serving
from tests.harness.web import World
from tests.harness.web_http import Site
from tests.web_tier.monitoring.test_readiness import Broken, collecting
from web_tier.cli import main
from web_tier.collector.heartbeat import collector_beat
from web_tier.operator.doctor.examine import Examination
from web_tier.operator.doctor.findings import (
    Level,
    clock_skews,
    masked,
    of_clock,
    of_clocks,
    of_collector,
    of_dead,
    of_instances,
    of_release,
    of_view,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

VIEW = FleetView(
    at=NOW,
    instances=(),
    queue=Depth(visible=0, in_flight=0),
    cap=4,
    bill=Bill(ended=3600.0),
)


def instance(number: int, state: str, slot: int | None) -> Instance:
    return Instance(
        id=f"i-{number}",
        state=InstanceState(state),
        launched=NOW,
        slot=slot,
        token=None,
        release="a" * 64,
        arn="",
    )


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(Site(world=collecting(World()))) as running:
        yield running


def levels(served: Served, **changes: Any) -> dict[str, str]:
    world = served.site.world
    world.ledger.write_view(replace(VIEW, at=world.clock.now()))
    parts: dict[str, Any] = {
        "ledger": world.ledger,
        "store": world.store,
        "cache": world.cache,
        "queues": {"chunks": world.chunks, "dead_chunks": world.dead_chunks},
        "ec2": MemoryEc2(world.clock),
        "clock": world.clock,
        "fleet": "f",
        "account": lambda: "1234 as me",
        "url": served.url,
        "dollars_per_hour": 1.0,
    }
    examination = Examination(**(parts | changes))
    return {finding.what: finding.level.value for finding in examination.findings()}


def test_everything_is_looked_at(served: Served) -> None:
    assert levels(served) == {
        "account": "OK",
        "web tier": "warning",  # whose collector is of another fleet here
        "store": "OK",
        "memcached": "OK",
        "ledger": "OK",
        "chunks": "OK",
        "dead chunks": "OK",
        "autoscaler": "OK",
        "collector": "OK",
        "release": "OK",
        "instances": "OK",
    }


@pytest.mark.parametrize(
    ("port", "what", "level"),
    [
        ("store", "store", "failed"),
        ("ledger", "ledger", "failed"),
        ("ec2", "instances", "failed"),
        ("cache", "memcached", "warning"),
    ],
)
def test_what_does_not_answer_keeps_nothing_else_from_being_looked_at(
    served: Served, port: str, what: str, level: str
) -> None:
    found = levels(served, **{port: Broken(ServiceDenied("no; create the stack"))})

    assert found[what] == level
    assert found["account"] == "OK"
    assert "instances" in found


def test_a_web_tier_that_is_away_or_not_ready_has_failed(served: Served) -> None:
    assert levels(served, url="http://127.0.0.1:9")["web tier"] == "failed"
    served.troubles = [_problem(503)]
    assert levels(served)["web tier"] == "failed"


def _problem(status: int) -> Any:
    return Response('{"detail": "ledger: away"}', status)


def test_secrets_are_masked_and_what_is_not_ours_is_not_shown() -> None:
    shown = masked(
        {
            "AWS_SECRET_ACCESS_KEY": "very",
            "AWS_SESSION_TOKEN": "very",
            "GRIDWELL_API_KEY": "very",
            "AWS_ENDPOINT_URL": "http://user:very@host:1/",
            "GRIDWELL_BUCKET": "b",
            "HOME": "very",
        }
    )

    assert "very" not in json.dumps(shown)
    assert shown["GRIDWELL_BUCKET"] == "b"
    assert shown["AWS_ENDPOINT_URL"].endswith("@host:1/")
    assert "HOME" not in shown


@pytest.mark.parametrize(
    ("view", "now", "words"),
    [
        (None, NOW, "never"),
        (VIEW, NOW + 61, "61 s ago"),
        (replace(VIEW, paused=True), NOW, "paused"),
        (replace(VIEW, held="no capacity"), NOW, "no capacity"),
    ],
)
def test_an_autoscaler_that_does_not_do_its_work_is_a_warning(
    view: FleetView | None, now: float, words: str
) -> None:
    finding = of_view(view, now)

    assert finding.level is Level.WARNING
    assert words in finding.says


def test_machines_that_are_not_fit_are_a_warning_with_their_reason() -> None:
    refusal = Refusal(
        action=UNFIT, target="i-1", cause=Cause.UNFIT, message="the disk is full", since=NOW, at=NOW
    )
    finding = of_instances((), replace(VIEW, refusals=(refusal,)), dollars_per_hour=0.1)

    assert finding.level is Level.WARNING
    assert "1 machine not fit to work" in finding.says
    assert "i-1 is not fit to work: the disk is full" in finding.do


def test_what_services_refuse_the_collector_is_a_warning() -> None:
    finding = of_collector(5.0, "1 refused, the last is job j: archived")

    assert finding.level is Level.WARNING
    assert "archived" in finding.says
    assert "restore" in finding.do


def test_what_ec2_refuses_is_a_warning_with_its_code_and_remedy() -> None:
    refused = Refusal(
        action="launch",
        target="c7i.large@subnet-a",
        cause="refused",
        code="InvalidSubnetID.NotFound",
        message="it does not exist",
        since=NOW - 90,
        at=NOW,
        count=3,
    )

    finding = of_view(replace(VIEW, refusals=(refused,)), NOW)

    assert finding.level is Level.WARNING
    assert finding.says.endswith(
        "EC2 refuses to launch c7i.large in subnet-a: InvalidSubnetID.NotFound: it does not exist, "
        "3 times in 90 s"
    )
    assert finding.do == "correct GRIDWELL_SUBNETS"


def test_what_needs_a_hand_says_which() -> None:
    assert "collect" in of_collector(None).do
    assert of_collector(5.0).level is Level.OK
    assert "redrive" in of_dead("dead chunks", Depth(visible=1, in_flight=1)).do
    assert "ami bake" in of_release(None).do


@pytest.mark.parametrize(
    ("skew", "level", "words"),
    [
        (0.4, "OK", "0.4 s ahead of the services' time"),
        (-4.9, "OK", "4.9 s behind the services' time"),
        (600.0, "warning", "600.0 s ahead of the services' time"),
        (-181.0, "warning", "181.0 s behind the services' time"),
    ],
)
def test_the_machines_own_clock_is_judged_by_the_services_time(
    skew: float, level: str, words: str
) -> None:
    finding = of_clock(skew)

    assert (finding.level.value, finding.says) == (level, words)
    assert ("timedatectl" in finding.do) == (level == "warning")


def test_doctor_tells_the_clocks_that_are_wrong(served: Served) -> None:
    world = served.site.world
    ec2 = MemoryEc2(world.clock)
    ec2.launch(0, "t" * 32)
    world.clock.advance(60)
    (instance,) = ec2.instances()
    beat = replace(collector_beat("f", now=world.clock.now(), merged=0, version="1"), skew=1.0)
    world.ledger.beat(beat)
    world.ledger.beat(replace(beat, worker=instance.arn, skew=-600.0))

    assert levels(served, ec2=ec2, skew=lambda: 0.1)["clock"] == "OK"
    assert levels(served, ec2=ec2)["clocks"] == "warning"
    skews = clock_skews([beat, replace(beat, worker=instance.arn, skew=-600.0)], now=NOW)
    assert of_clocks(skews).says == f"1 of 2 wrong: {instance.id} 600.0 s behind"
    assert of_clocks({"f": 1.0}).says == "1 known, none wrong"


def test_a_heartbeat_of_an_older_release_shows_a_clock_that_is_ahead() -> None:
    beat = collector_beat("f", now=NOW + 61, merged=0, version="1")

    assert clock_skews([beat], now=NOW) == {"f": 61.0}
    assert clock_skews([beat], now=NOW + 62) == {}


def test_instances_are_told_with_what_they_cost() -> None:
    found = (
        instance(1, "running", 0),
        instance(2, "running", 1),
        instance(3, "stopped", 2),
        instance(4, "terminated", 3),
    )

    finding = of_instances(found, VIEW, dollars_per_hour=0.5)

    assert finding.level is Level.OK
    assert "2 running, 1 stopped" in finding.says
    assert "$1.0000 an hour now, $0.5000 so far for 3600 instance-seconds" in finding.says
    strange = of_instances((instance(5, "running", None),), None, dollars_per_hour=0.5)
    assert (strange.level, "i-5" in strange.do) == (Level.WARNING, True)


def test_the_command_ends_with_one_where_nothing_answers_and_with_two_without_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "hidden-away",
        "GRIDWELL_BUCKET": "some-bucket",
        "GRIDWELL_MEMCACHED": "127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    arguments = ["doctor", "--json", "--url", "http://127.0.0.1:9"]

    answer = CliRunner().invoke(main, arguments)
    monkeypatch.delenv("GRIDWELL_BUCKET")
    unset = CliRunner().invoke(main, arguments)

    report = json.loads(answer.stdout)
    assert answer.exit_code == 1
    assert report["ok"] is False
    assert {one["what"]: one["level"] for one in report["findings"]}["store"] == "failed"
    assert "hidden-away" not in answer.output
    assert unset.exit_code == 2
