import gzip
from pathlib import Path

import pytest

from gridwell.local_stack.machine import user_data
from gridwell.local_stack.machine.environment import expand, read_environment_files
from gridwell.local_stack.machine.unit_file import Command, parse_seconds, parse_unit

HOME = Path("/somewhere/opt/gridwell")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("90", 90), ("2min 30s", 150), ("500ms", 0.5), ("infinity", float("inf")), ("1h", 3600)],
)
def test_time_spans_are_read_as_systemd_reads_them(value: str, seconds: float) -> None:
    assert parse_seconds(value) == seconds


def test_paths_of_the_installation_are_moved_into_the_instance() -> None:
    text = """[Service]
Environment="A=/opt/gridwell/a" B=/opt/gridwellish
EnvironmentFile=-/opt/gridwell/run/env
WorkingDirectory=/opt/gridwell
ExecStart=/opt/gridwell/bin/python -P -m \\
    app_tier.cli '/opt/gridwell/with space'
"""
    unit = parse_unit("w.service", text, HOME)

    assert unit.environment == {"A": f"{HOME}/a", "B": "/opt/gridwellish"}
    assert unit.environment_files == [(f"{HOME}/run/env", True)]
    assert unit.working_directory == str(HOME)
    assert unit.commands == [
        Command(words=(f"{HOME}/bin/python", "-P", "-m", "app_tier.cli", f"{HOME}/with space"))
    ]
    assert unit.warnings == []


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ("Restart=sometimes", "this machine knows no, on-failure, always"),
        ("Restrat=no", "Unknown key name 'Restrat' in section 'Service', ignoring"),
        ("ExecStart=python3 x", "the path of the program is not absolute"),
        ("RestartSec=5 fortnights", "unknown time unit 'fortnights'"),
        ("nonsense", "Missing '='"),
    ],
)
def test_what_cannot_be_understood_is_a_warning_and_not_an_error(line: str, warning: str) -> None:
    unit = parse_unit("w.service", f"[Service]\n{line}\n", HOME)

    assert len(unit.warnings) == 1
    assert warning in unit.warnings[0]


def test_an_action_that_this_machine_cannot_take_is_a_warning() -> None:
    unit = parse_unit("w.service", "[Unit]\nSuccessAction=reboot\n", HOME)

    assert unit.success_action == "none"
    assert "SuccessAction=reboot" in unit.warnings[0]


def test_variables_are_expanded_as_systemd_does() -> None:
    env = {"ONE": "a b", "TWO": "c"}

    assert expand(["x${ONE}y", "$ONE", "${TWO}", "$NONE", "100%%"], env) == [
        "xa by",
        "a",
        "b",
        "c",
        "100%",
    ]


def test_environment_files_are_read_and_only_some_may_be_absent(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text('# note\nA=1\nB="two words"\nC=\n\n; other\nD=a=b\n')

    found = read_environment_files([(str(path), False), (str(tmp_path / "none"), True)])

    assert found == {"A": "1", "B": "two words", "C": "", "D": "a=b"}
    with pytest.raises(FileNotFoundError):
        read_environment_files([(str(tmp_path / "none"), False)])


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (b"", []),
        (b"#!/bin/sh\ntrue\n", ["script"]),
        (b"#cloud-boothook\n#!/bin/sh\ntrue\n", ["boothook"]),
    ],
)
def test_user_data_is_told_apart_by_its_first_line(data: bytes, kinds: list[str]) -> None:
    parts, warnings = user_data.parse(data)

    assert [part.kind for part in parts] == kinds
    assert all(part.content.startswith(b"#!/bin/sh") for part in parts)
    assert warnings == []


@pytest.mark.parametrize(
    "data", [gzip.compress(b"#!/bin/sh\n", mtime=0), b"#cloud-config\npackages: []\n"]
)
def test_user_data_that_cannot_run_is_named(data: bytes) -> None:
    parts, warnings = user_data.parse(data)

    assert parts == []
    assert len(warnings) == 1
