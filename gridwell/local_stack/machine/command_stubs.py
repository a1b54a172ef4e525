"""Stubs of the privileged commands that our scripts use.

On a real machine the scripts run as root and call systemctl, poweroff, apt-get, useradd and
chown.  On a local machine nothing outside the instance's folder may change.  So the stubs do the
part that has a meaning inside it, and refuse arguments that they do not know.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import TextIO

from gridwell.local_stack.machine.unit_manager import TARGET, UNIT_FOLDER

#: Names the control socket of the first process.
CONTROL = "GRIDWELL_MACHINE_CONTROL"
NAMES = ("systemctl", "poweroff", "apt-get", "useradd", "chown")
#: Packages whose command has another name; others are looked up under their own.
COMMANDS = {"python3-venv": "python3", "python3-minimal": "python3", "ca-certificates": None}


def write_stubs(folder: Path) -> None:
    """Write one small shell script per command, each running this module."""
    package_root = Path(__file__).parents[3]
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        script = folder / name
        script.write_text(
            f"#!/bin/sh\nPYTHONPATH='{package_root}' exec '{sys.executable}' -P -m"
            f' gridwell.local_stack.machine.command_stubs {name} "$@"\n'
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def ask(request: str) -> str:
    """Send one request to the first process.

    Returns:
        Its response: empty, or the reason of its refusal.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(f"\0{os.environ[CONTROL]}")
        connection.sendall(request.encode() + b"\n")
        return connection.makefile().readline().strip()


def main(argv: list[str]) -> int:  # noqa: PLR0911 - one command, one case
    """Run the stub of a command and return its exit status."""
    name, *arguments = argv
    match name, [a for a in arguments if a not in ("--now", "--quiet", "-q", "--no-block")]:
        case ("poweroff", _) | ("systemctl", ["poweroff"]):
            return _refused_by_init("poweroff")
        case "systemctl", ["daemon-reload"]:
            return _refused_by_init("systemctl")
        case "systemctl", ["enable", *units] if units and "--now" not in arguments:
            return _refused_by_init("systemctl") or max(_enable(unit) for unit in units)
        case "systemctl", ["is-enabled", unit]:
            return _is_enabled(unit)
        case (("useradd" | "chown"), _):
            return 0  # everything here belongs to, and runs as, the user of this machine
        case "apt-get", _:
            return _apt_get(arguments)
    _print(f"{name}: this machine does not know `{name} {' '.join(arguments)}`", sys.stderr)
    return 1


def _refused_by_init(request: str) -> int:
    refusal = ask(request)
    if refusal:
        _print(refusal, sys.stderr)
    return 1 if refusal else 0


def _units() -> Path:
    return Path(os.environ["GRIDWELL_HOME"]) / UNIT_FOLDER


def _is_enabled(unit: str) -> int:
    enabled = (_units() / f"{TARGET}.wants" / unit).exists()
    _print("enabled" if enabled else "disabled")
    return 0 if enabled else 1


def _enable(unit: str) -> int:
    """Link a unit, by its path or by its name, as `systemctl enable` does."""
    units, path = _units(), Path(unit)
    units.mkdir(parents=True, exist_ok=True)
    installed = units / path.name
    if path.is_absolute() and path.is_file() and not installed.exists():
        # Relative links: they must still be right in the copy that becomes the image.
        installed.symlink_to(os.path.relpath(path, units))
    if not installed.exists():
        _print(f"Failed to enable unit: Unit file {unit} does not exist in {units}.", sys.stderr)
        return 1
    wants = units / f"{TARGET}.wants"
    wants.mkdir(exist_ok=True)
    link = wants / path.name
    if not link.is_symlink():
        link.symlink_to(Path("..") / path.name)
        _print(f"Created symlink {link} -> {installed}.", sys.stderr)
    return 0


def _apt_get(arguments: list[str]) -> int:
    words = [word for word in arguments if not word.startswith("-") and "::" not in word]
    if words[:1] != ["install"]:
        return 0  # update, clean: nothing to do
    missing = [package for package in words[1:] if not _is_installed(package)]
    if missing:
        _print(
            f"E: this machine has no {', '.join(missing)}, and a local instance installs nothing"
            f" on it: run `sudo apt-get install {' '.join(missing)}` yourself, then try again",
            sys.stderr,
        )
    return 100 if missing else 0


def _is_installed(package: str) -> bool:
    command = COMMANDS.get(package, package)
    if command is None:
        return True
    if shutil.which(command) is None:
        return False
    if package != "python3-venv":
        return True
    probe = [command, "-c", "import ensurepip, venv"]
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0


def _print(text: str, file: TextIO | None = None) -> None:
    (file or sys.stdout).write(text + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
