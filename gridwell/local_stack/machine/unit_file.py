"""Reads the unit files that our images carry, in systemd's words.

Only the keys that a local machine can honour have an effect.  Known keys for hardening are
accepted in silence, as a process tree has nothing to harden; anything else is a warning on the
console, as it is with systemd.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: Where the image's folder is on a real machine; values that begin so are moved into ours.
INSTALL_FOLDER = "/opt/gridwell"
SIGNAL_NAMES = {"SIGHUP": -1, "SIGINT": -2, "SIGKILL": -9, "SIGPIPE": -13, "SIGTERM": -15}
ACTIONS = ("none", "poweroff", "poweroff-force", "poweroff-immediate")
TYPES = ("simple", "exec", "oneshot", "notify")
RESTARTS = ("no", "on-failure", "always")
KILL_MODES = ("control-group", "mixed")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
#: Without a meaning for a process tree on somebody's laptop.
NOT_MODELLED = frozenset(  # words in a row read better than ninety quoted lines
    """
    AmbientCapabilities CapabilityBoundingSet CPUQuota CPUWeight Delegate Documentation Group
    IPAddressAllow IPAddressDeny InaccessiblePaths LimitCORE LimitNOFILE LockPersonality
    MemoryDenyWriteExecute MemoryHigh MemoryMax NoNewPrivileges Nice OOMPolicy OOMScoreAdjust
    PrivateDevices PrivateNetwork PrivateTmp PrivateUsers ProcSubset ProtectClock
    ProtectControlGroups
    ProtectHome ProtectHostname ProtectKernelLogs ProtectKernelModules ProtectKernelTunables
    ProtectProc ProtectSystem ReadOnlyPaths ReadWritePaths RemoveIPC RestrictAddressFamilies
    RestrictNamespaces RestrictRealtime RestrictSUIDSGID SecureBits StandardError
    StandardInput StandardOutput SyslogIdentifier SystemCallArchitectures
    SystemCallErrorNumber SystemCallFilter TasksMax UMask
    """.split()  # noqa: SIM905 - as above
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One line of Exec: its words, not yet expanded."""

    words: tuple[str, ...]
    may_fail: bool = False


@dataclass(slots=True, kw_only=True)
class Unit:
    """One service as its file describes it.  Durations in seconds."""

    name: str
    description: str = ""
    requires: set[str] = field(default_factory=set)
    wants: set[str] = field(default_factory=set)
    after: set[str] = field(default_factory=set)
    success_action: str = "none"
    failure_action: str = "none"
    default_dependencies: bool = True  #: without them a unit starts before the boothooks
    start_limit_seconds: float = 10.0
    start_limit_burst: int = 5
    start_limit_action: str = "none"
    type: str = "simple"
    remain_after_exit: bool = False
    commands: list[Command] = field(default_factory=list)
    commands_before: list[Command] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    environment_files: list[tuple[str, bool]] = field(default_factory=list)  #: path, may be absent
    working_directory: str | None = None
    restart: str = "no"
    restart_seconds: float = 0.1
    restart_never_on: set[int] = field(default_factory=set)
    success_statuses: set[int] = field(default_factory=set)
    watchdog_seconds: float = 0.0
    start_timeout: float | None = None
    stop_timeout: float = 90.0
    kill_mode: str = "control-group"
    notify_access: str = "main"
    warnings: list[str] = field(default_factory=list)


def parse_unit(name: str, text: str, home: Path) -> Unit:
    """Return the unit that a file describes.

    Args:
        name: of the unit, with its suffix.
        text: of the file.
        home: the folder that stands for `INSTALL_FOLDER` on this machine.

    Returns:
        The unit; what could not be understood is in its `warnings`, never an exception, as
        systemd also boots with the lines that it does understand.
    """
    reader = _Reader(Unit(name=name), str(home))
    section = ""
    for number, line in _logical_lines(text):
        if line.startswith("["):
            section = line.strip("[]")
            continue
        key, separator, value = line.partition("=")
        if not separator:
            reader.warn(number, f"Missing '=', ignoring line: {line}")
            continue
        try:
            reader.read(section, key.strip(), value.strip(), number)
        except ValueError as error:
            reader.warn(number, f"Failed to parse {key.strip()}={value.strip()}, ignoring: {error}")
    return reader.unit


def parse_seconds(value: str) -> float:
    """Return a time span in seconds: `90`, `2min 30s`, `500ms`, `infinity`."""
    if value == "infinity":
        return float("inf")
    total, number = 0.0, ""
    for word in value.split():
        digits = word.rstrip("abcdefghijklmnopqrstuvwxyz")
        number, unit = digits, word[len(digits) :] or "s"
        if unit not in _UNITS:
            raise ValueError(f"unknown time unit {unit!r}; known: {', '.join(_UNITS)}")
        total += float(number) * _UNITS[unit]
    return total


def _logical_lines(text: str) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    open_line = ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line.endswith("\\"):
            open_line += line[:-1] + " "
            continue
        lines.append((number, open_line + line))
        open_line = ""
    return lines


class _Reader:
    """Fills a unit key by key."""

    def __init__(self, unit: Unit, home: str) -> None:
        self.unit = unit
        self._home = home

    def warn(self, number: int, words: str) -> None:
        self.unit.warnings.append(f"{self.unit.name}:{number}: {words}")

    def read(self, section: str, key: str, value: str, number: int) -> None:
        known = {"Unit": self._read_unit, "Service": self._read_service}.get(section)
        if section == "Install" and key in ("WantedBy", "RequiredBy", "Alias", "Also"):
            return
        if known is None:
            self.warn(number, f"Unknown section '{section}'. Ignoring.")
        elif key in NOT_MODELLED:
            return
        elif key == "User":
            self.warn(number, f"User={value} is not modelled: runs as the user of this machine.")
        elif not known(key, value):
            self.warn(number, f"Unknown key name '{key}' in section '{section}', ignoring.")

    def _read_unit(self, key: str, value: str) -> bool:
        unit = self.unit
        match key:
            case "Description":
                unit.description = value
            case "Requires":
                unit.requires.update(value.split())
            case "Wants":
                unit.wants.update(value.split())
            case "After":
                unit.after.update(value.split())
            case "DefaultDependencies":
                unit.default_dependencies = value.lower() in ("yes", "true", "on", "1")
            case "Conflicts" | "Before":
                _one_of(value, ("shutdown.target",))  # every unit is stopped at shutdown
            case _:
                return self._read_end(key, value)
        return True

    def _read_end(self, key: str, value: str) -> bool:
        """Read a setting about the machine's behaviour when the unit ends; False for another."""
        unit = self.unit
        match key:
            case "SuccessAction":
                unit.success_action = _one_of(value, ACTIONS)
            case "FailureAction":
                unit.failure_action = _one_of(value, ACTIONS)
            case "StartLimitAction":
                unit.start_limit_action = _one_of(value, ACTIONS)
            case "StartLimitIntervalSec" | "StartLimitInterval":
                unit.start_limit_seconds = parse_seconds(value)
            case "StartLimitBurst":
                unit.start_limit_burst = int(value)
            case _:
                return False
        return True

    def _read_service(self, key: str, value: str) -> bool:
        return self._read_command(key, value) or self._read_manner(key, value)

    def _read_command(self, key: str, value: str) -> bool:
        unit = self.unit
        match key:
            case "ExecStart" | "ExecStartPre":
                target = unit.commands if key == "ExecStart" else unit.commands_before
                target.append(self._command(value)) if value else target.clear()
            case "Environment":
                for word in shlex.split(value):
                    name, separator, content = word.partition("=")
                    if not separator:
                        raise ValueError(f"{word!r} is not NAME=value")
                    unit.environment[name] = self._moved(content)
            case "EnvironmentFile":
                path = value.removeprefix("-")
                unit.environment_files.append((self._moved(path), path != value))
            case "WorkingDirectory":
                unit.working_directory = self._moved(value.removeprefix("-"))
            case _:
                return False
        return True

    def _read_manner(self, key: str, value: str) -> bool:  # noqa: C901 - one key, one case
        unit = self.unit
        match key:
            case "Type":
                unit.type = _one_of(value, TYPES)
            case "RemainAfterExit":
                unit.remain_after_exit = value.lower() in ("yes", "true", "on", "1")
            case "Restart":
                unit.restart = _one_of(value, RESTARTS)
            case "RestartSec":
                unit.restart_seconds = parse_seconds(value)
            case "RestartPreventExitStatus":
                unit.restart_never_on.update(_statuses(value))
            case "SuccessExitStatus":
                unit.success_statuses.update(_statuses(value))
            case "WatchdogSec":
                unit.watchdog_seconds = parse_seconds(value)
            case "TimeoutStartSec":
                unit.start_timeout = parse_seconds(value)
            case "TimeoutStopSec":
                unit.stop_timeout = parse_seconds(value)
            case "KillMode":
                unit.kill_mode = _one_of(value, KILL_MODES)
            case "NotifyAccess":
                unit.notify_access = _one_of(value, ("none", "main", "exec", "all"))
            case _:
                return False
        return True

    def _command(self, value: str) -> Command:
        rest = value.lstrip("-+!:")
        prefixes = value[: len(value) - len(rest)]
        words = tuple(self._moved(word) for word in shlex.split(rest))
        if not words or not words[0].startswith("/"):
            raise ValueError("the path of the program is not absolute")
        return Command(words=words, may_fail="-" in prefixes)

    def _moved(self, value: str) -> str:
        if value == INSTALL_FOLDER or value.startswith(f"{INSTALL_FOLDER}/"):
            return self._home + value[len(INSTALL_FOLDER) :]
        return value


def _one_of(value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f"this machine knows {', '.join(known)}")
    return value


def _statuses(value: str) -> set[int]:
    return {SIGNAL_NAMES[word] if word in SIGNAL_NAMES else int(word) for word in value.split()}
