from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from autoscaler import cli
from autoscaler.decide.model import Policy, Rule
from autoscaler.observe import ObservedPorts
from autoscaler.settings import Settings
from gridwell.adapters.memory import ManualClock, MemoryEc2, MemoryLedger, MemoryQueue
from gridwell.engine.errors import ServiceDenied
from gridwell.engine.ports import Depth
from gridwell.fleet.model import Control, Offering
from tests.harness.waiting import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> ObservedPorts:
    """A fleet of nothing and a queue of five, behind the commands."""
    clock = ManualClock()
    queue = MemoryQueue(clock)
    queue.send(["chunk"] * 5)
    made = ObservedPorts(ec2=MemoryEc2(clock), chunks=queue, ledger=MemoryLedger(), clock=clock)
    monkeypatch.setattr(cli, "chosen_ports", lambda _settings: made)
    return made


@pytest.fixture
def _handlers() -> Iterator[None]:
    before = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)}
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


def call(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.main, list(words))
    return result.exit_code, result.output


def test_once_is_one_tick(ports: ObservedPorts) -> None:
    assert call("run", "--once") == (0, "")
    assert len(ports.ec2.instances()) == 2


def test_a_dry_run_prints_the_reason_and_launches_nothing(ports: ObservedPorts) -> None:
    code, output = call("run", "--once", "--dry-run", "--policy", "classic")

    assert (code, output) == (0, "5 chunks waiting, want 5 of cap 19; none there; launch 5\n")
    assert ports.ec2.instances() == ()


def test_explain_prints_the_plan_in_detail_and_does_nothing(ports: ObservedPorts) -> None:
    code, output = call("explain")

    assert code == 0
    assert output.splitlines() == [
        "5 chunks waiting + 0 in flight = 5, want 2 of cap 19; none there; launch 2",
        "policy default, cap 19 of 19, release release-1",
        "lease held by nobody",
        "launch in slot 00",
        "launch in slot 01",
    ]
    assert ports.ec2.instances() == ()


def test_the_switch_keeps_what_it_does_not_turn(ports: ObservedPorts) -> None:
    assert call("cap", "3") == (0, "running, at most 3 instances\n")
    assert call("pause") == (0, "paused, at most 3 instances\n")
    assert ports.ledger.control() == Control(cap=3, paused=True)
    assert call("resume") == (0, "running, at most 3 instances\n")
    assert call("cap", "off") == (0, "running, the policy's cap\n")
    assert ports.ledger.control() == Control()


@pytest.mark.parametrize("word", ["-1", "1.5", "many", "²"])
def test_a_cap_that_is_no_number_is_refused(ports: ObservedPorts, word: str) -> None:
    code, output = call("cap", "--", word)

    assert code == 2
    assert word in output


@pytest.mark.usefixtures("_handlers")
def test_sigterm_ends_between_two_steps_with_success(
    ports: ObservedPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def depth() -> Depth:
        looks.append(1)
        if len(looks) == 3:
            signal.raise_signal(signal.SIGTERM)
        return Depth(visible=0, in_flight=0)

    monkeypatch.setattr(ports.chunks, "depth", depth)

    assert call("run") == (0, "")
    assert len(looks) == 3


def test_an_error_of_aws_ends_a_command_with_its_words(
    ports: ObservedPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied() -> Control:
        raise ServiceDenied("the table gridwell-ledger: create the stack")

    monkeypatch.setattr(ports.ledger, "control", denied)

    code, output = call("pause")

    assert (code, output) == (
        3,
        "error: ServiceDenied: the table gridwell-ledger: create the stack\n",
    )


def test_names_derive_from_the_fleets_unless_they_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GRIDWELL_FLEET", "blue")
    monkeypatch.setenv("GRIDWELL_LAUNCH_TEMPLATE", "mine")
    settings = Settings()

    assert (settings.queue, settings.table, settings.template) == (
        "blue-chunks",
        "blue-ledger",
        "mine",
    )


def test_the_policy_is_made_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWELL_MAX_INSTANCES", "4")
    monkeypatch.setenv("GRIDWELL_BOOT_GRACE_SECONDS", "60")

    policy = Settings().policy(Rule.CLASSIC)

    assert policy == Policy.classic(max_instances=4, boot_grace_seconds=60.0)


def test_all_settings_that_cannot_be_used_are_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GRIDWELL_MAX_INSTANCES", "0")
    monkeypatch.setenv("GRIDWELL_TICK_SECONDS", "soon")
    with pytest.raises(ValidationError):
        Settings()

    code, output = call("run")

    assert code == 2
    assert "GRIDWELL_MAX_INSTANCES" in output
    assert "GRIDWELL_TICK_SECONDS" in output


def test_a_policy_of_nothing_is_refused_with_all_its_faults() -> None:
    with pytest.raises(ValueError, match=r"max_instances is 0, .*; chunks_per_instance is -1"):
        Policy(max_instances=0, chunks_per_instance=-1)


def test_each_type_is_asked_for_in_every_subnet_before_the_next_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Settings().offers == (Offering(),)
    monkeypatch.setenv("GRIDWELL_INSTANCE_TYPES", "c7i.large,c6i.large")
    monkeypatch.setenv("GRIDWELL_SUBNETS", "subnet-1,subnet-2")

    assert [str(offer) for offer in Settings().policy(Rule.DEFAULT).offers] == [
        "c7i.large in subnet-1",
        "c7i.large in subnet-2",
        "c6i.large in subnet-1",
        "c6i.large in subnet-2",
    ]


@pytest.mark.parametrize("value", ["c7i.large,", ",c7i.large", "c7i large", "c7i.large;x"])
def test_types_that_are_no_list_are_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("GRIDWELL_INSTANCE_TYPES", value)

    with pytest.raises(ValidationError, match="instance_types"):
        Settings()


def test_a_lease_that_does_not_outlast_two_ticks_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GRIDWELL_LEASE_SECONDS", "15")

    with pytest.raises(ValidationError, match="at least twice GRIDWELL_TICK_SECONDS, which is 10"):
        Settings()


HUNG = """
import time
from autoscaler import cli
from autoscaler.observe import ObservedPorts
from gridwell.adapters.system_clock import SystemClock
from gridwell.adapters.memory import MemoryEc2, MemoryLedger, MemoryQueue

class Hung(MemoryQueue):
    def depth(self):
        time.sleep(600)

clock = SystemClock()
ports = ObservedPorts(ec2=MemoryEc2(clock), chunks=Hung(clock), ledger=MemoryLedger(), clock=clock)
cli.chosen_ports = lambda _settings: ports
cli._HUNG_SECONDS = 0.2
cli.main(["run"])
"""


@pytest.mark.system
def test_a_tick_that_hangs_ends_the_program_and_tells_where() -> None:
    run = subprocess.run(
        [sys.executable, "-c", HUNG],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )

    assert run.returncode == 1
    assert "in depth" in run.stderr


def test_what_operators_do_to_the_fleet_is_recorded(ports: ObservedPorts) -> None:
    for words in (["pause"], ["cap", "3"], ["resume"]):
        assert call(*words)[0] == 0

    acts = ports.ledger.audit.acts(first_day=0, last_day=10**6)
    assert [act.action for act in reversed(acts)] == ["fleet.pause", "fleet.cap", "fleet.resume"]
    assert {act.detail for act in acts} == {
        "paused=True cap=None",
        "paused=True cap=3",
        "paused=False cap=3",
    }
