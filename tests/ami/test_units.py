"""The units, as systemd reads them and as PROTOCOL words demand: each key is a promise."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app_tier.settings import Settings
from app_tier.worker.step_report import WorkerExit
from gridwell.adapters.aws.client import CONNECT_SECONDS, FEW_TRIES, READ_SECONDS
from gridwell.local_stack.machine.unit_file import INSTALL_FOLDER, parse_unit
from tests.local_stack.conftest import ROOT

RELEASE, WORKER = "gridwell-release.service", "gridwell-worker.service"
DEADLINE = "gridwell-deadline.service"
UNITS = {name: (ROOT / "ami" / name).read_text() for name in (RELEASE, WORKER, DEADLINE)}


def keys_of(name: str) -> dict[str, str]:
    """The last value of each key, as `[Section]Key`."""
    section, found = "", {}
    for line in UNITS[name].splitlines():
        if line.startswith("["):
            section = line
        elif "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[section + key] = value
    return found


def verified(folder: Path, units: dict[str, str]) -> str:
    """All that systemd has to say about units; empty if it understands everything.

    Its exit status is 0 even for keys that it does not know.
    """
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: sudo apt-get install -y systemd")
    (folder / "venv/bin").mkdir(parents=True)
    python = folder / "venv/bin/python"
    python.touch(mode=0o755)
    for name, text in units.items():
        (folder / name).write_text(text.replace(INSTALL_FOLDER, str(folder)))
    run = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(folder / name) for name in units)],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    assert verified(tmp_path, UNITS) == ""


def test_a_misspelt_key_would_be_noticed(tmp_path: Path) -> None:
    wrong = {WORKER: UNITS[WORKER].replace("WatchdogSec", "WachdogSec"), RELEASE: UNITS[RELEASE]}

    assert "WachdogSec" in verified(tmp_path, wrong)


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_exposed_no_more_than_its_work_needs(tmp_path: Path, name: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: sudo apt-get install -y systemd")
    (tmp_path / name).write_text(UNITS[name])
    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )

    found = re.search(r"Overall exposure level for \S+: ([0-9.]+) ", run.stdout)
    assert found is not None, run.stderr
    assert float(found[1]) <= 2.0


@pytest.mark.parametrize("name", [RELEASE, WORKER])
def test_a_unit_that_imports_libraries_may_make_memory_executable(name: str) -> None:
    """numba compiles kernels, and libffi makes closures."""
    assert "[Service]MemoryDenyWriteExecute" not in keys_of(name)


@pytest.mark.parametrize("name", UNITS)
def test_the_end_of_a_unit_takes_nothing_from_another_of_the_same_user(name: str) -> None:
    assert "[Service]RemoveIPC" not in keys_of(name)


@pytest.mark.parametrize("name", UNITS)
def test_the_machine_on_a_laptop_understands_every_line_but_the_user(name: str) -> None:
    unit = parse_unit(name, UNITS[name], Path("/home"))

    assert [
        warning for warning in unit.warnings if "User=gridwell is not modelled" not in warning
    ] == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("[Unit]Requires", RELEASE),
        ("[Unit]After", RELEASE),
        ("[Unit]SuccessAction", "poweroff"),
        ("[Unit]StartLimitIntervalSec", "300"),
        ("[Unit]StartLimitBurst", "4"),
        ("[Unit]StartLimitAction", "poweroff"),
        ("[Service]Type", "notify"),
        ("[Service]Restart", "on-failure"),
        ("[Service]WatchdogSec", "120"),
        ("[Service]SuccessExitStatus", "69 71"),
        ("[Service]TimeoutStopSec", "30"),
        ("[Service]KillMode", "mixed"),
        ("[Service]User", "gridwell"),
        ("[Service]EnvironmentFile", "/opt/gridwell/run/env"),
        ("[Service]ExecStart", "/opt/gridwell/venv/bin/python -P -m app_tier work"),
        ("[Service]CapabilityBoundingSet", ""),
        ("[Service]NoNewPrivileges", "yes"),
        ("[Service]ProtectSystem", "strict"),
        ("[Install]WantedBy", "multi-user.target"),
    ],
)
def test_the_worker_unit_keeps_the_protocol(key: str, value: str) -> None:
    assert keys_of(WORKER)[key] == value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("[Unit]FailureAction", "poweroff"),
        ("[Service]Type", "oneshot"),
        ("[Service]RemainAfterExit", "yes"),
        ("[Service]User", "gridwell"),
        ("[Service]EnvironmentFile", "/opt/gridwell/run/env"),
        ("[Service]ExecStart", "/opt/gridwell/venv/bin/python -P /opt/gridwell/bin/release.py"),
        ("[Install]WantedBy", "multi-user.target"),
    ],
)
def test_the_release_unit_keeps_the_protocol(key: str, value: str) -> None:
    assert keys_of(RELEASE)[key] == value


def test_the_release_waits_for_the_boothook_that_says_what_to_run() -> None:
    assert "cloud-init.service" in keys_of(RELEASE)["[Unit]After"].split()


def test_no_exit_but_0_ends_a_worker_well() -> None:
    """75, told to stop, must restart after a stray TERM, so it must not count as success.

    69 must not: a queue that cannot be reached is not reached by the next start either.  Nor must
    71: a machine that is not fit to compute would only be tested again.
    """
    ends = keys_of(WORKER)["[Service]SuccessExitStatus"].split()
    assert ends == [str(end.value) for end in (WorkerExit.UNREACHABLE, WorkerExit.UNFIT)]
    assert "[Service]RestartPreventExitStatus" not in keys_of(WORKER)


def test_a_crash_that_is_followed_by_a_restart_does_not_power_off() -> None:
    """systemd takes a FailureAction at every failure, and does not wait for the start limit."""
    assert "[Unit]FailureAction" not in keys_of(WORKER)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("[Unit]DefaultDependencies", "no"),
        ("[Unit]After", "local-fs.target"),
        ("[Unit]SuccessAction", "poweroff-force"),
        ("[Unit]StartLimitIntervalSec", "0"),
        ("[Service]Restart", "on-failure"),
        ("[Install]WantedBy", "multi-user.target"),
    ],
)
def test_the_deadline_unit_stands_on_nothing_and_ends_the_machine(key: str, value: str) -> None:
    assert keys_of(DEADLINE)[key] == value


def test_no_call_of_a_worker_lasts_as_long_as_its_watchdog_waits() -> None:
    longest = FEW_TRIES * (CONNECT_SECONDS + READ_SECONDS)

    assert 1.5 * longest < parse_unit(WORKER, UNITS[WORKER], Path("/home")).watchdog_seconds


def test_the_machine_waits_longer_than_its_worker_and_for_the_file_that_it_touches() -> None:
    deadline = parse_unit(DEADLINE, UNITS[DEADLINE], Path("/home"))
    worker = parse_unit(WORKER, UNITS[WORKER], Path("/home"))
    _, _, sign, seconds = deadline.commands[0].words

    patience = Settings.model_fields["unreachable_seconds"].default
    assert patience + worker.watchdog_seconds < float(seconds)
    assert worker.environment["GRIDWELL_PROGRESS_FILE"] == sign


def test_a_broken_worker_reaches_the_start_limit_instead_of_restarting_for_ever() -> None:
    unit = parse_unit(WORKER, UNITS[WORKER], Path("/home"))
    seconds_to_fail = 10.0  #: generous: imports take half of one

    cycle = unit.restart_seconds + seconds_to_fail
    assert cycle * unit.start_limit_burst < unit.start_limit_seconds
