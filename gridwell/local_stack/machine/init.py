"""The first process of a local instance.

Boot, in cloud-init's order:

* user data from the metadata service,
* the units that wait for nothing,
* boothooks, at every boot,
* the other enabled units, and at the instance's first boot the plain scripts beside them.

The machine shuts down at the host's request, at SIGTERM, or when a unit's end demands it.  The
host's end of our standard input is the machine's power cord.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gridwell.local_stack.machine import credentials, processes, user_data
from gridwell.local_stack.machine.command_stubs import CONTROL, write_stubs
from gridwell.local_stack.machine.event_loop import Loop
from gridwell.local_stack.machine.metadata import Metadata
from gridwell.local_stack.machine.unit_manager import Manager

if TYPE_CHECKING:
    from collections.abc import Callable

FINAL_TERM_SECONDS = 1.0  #: between SIGTERM and SIGKILL for what no unit owns
DEADLOCK = (
    "systemctl waits for the boot to end, and the boot waits for this boothook: enable units in"
    " the image instead"
)


class Init:
    """The machine's first process.

    Args:
        folder: the instance's: `opt/gridwell` is its disk, `var` and `root` do not become
            part of an image.
        env: the environment of everything that runs in the machine.
        booted: called once the machine is up.
    """

    def __init__(self, folder: Path, env: dict[str, str], booted: Callable[[], None]) -> None:
        self._folder = folder
        self._booted = booted
        self._alone = os.getpid() == 1  # in a PID namespace of our own
        self._loop = Loop()
        self._env = env | {CONTROL: f"gridwell-control-{secrets.token_hex(8)}"}
        self._in_boothook = False
        self._powering_off = False
        self._manager = Manager(
            loop=self._loop,
            env=self._env,
            home=Path(env["GRIDWELL_HOME"]),
            write_console=self.write_console,
            power_off=self._power_off,
        )

    def write_console(self, text: str) -> None:
        """Write a line on the console."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        sys.stdout.write(f"[{now}] {text}\n")
        sys.stdout.flush()

    def run(self) -> None:
        """Boot, serve until the machine powers off, shut down."""
        if not self._alone:
            processes.adopt_orphans()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: self._power_off(f"signal {number}"))
        self._loop.watch(sys.stdin.buffer, self._cord)
        self._serve_control()
        write_stubs(self._folder / "var/bin")
        metadata = Metadata(self._env["AWS_EC2_METADATA_SERVICE_ENDPOINT"])
        self.write_console(f"Booting {(metadata.get('meta-data/instance-id') or b'?').decode()}.")
        self._booted()
        parts, warnings = user_data.parse(metadata.get("user-data") or b"")
        for warning in warnings:
            self.write_console(f"cloud-init: {warning}")
        self._manager.start_early()
        self._run_boothooks([p for p in parts if p.kind == user_data.BOOTHOOK])
        if not self._powering_off:
            self._manager.start_enabled()
            self._run_scripts([p for p in parts if p.kind == user_data.SCRIPT])
        self._loop.run_until(lambda: self._powering_off)
        self._manager.stop_all()
        self._loop.run_until(lambda: self._manager.is_down)
        self._end_the_rest()
        self.write_console("Power down.")

    # User data.

    def _run_boothooks(self, parts: list[user_data.MimePart]) -> None:
        self._in_boothook = True
        for number, part in enumerate(parts):
            ended: list[int] = []
            self._execute(f"boothook-{number:03}", part.content, ended.append)
            self._loop.run_until(lambda ended=ended: bool(ended) or self._powering_off)  # type: ignore[misc]
        self._in_boothook = False

    def _run_scripts(self, parts: list[user_data.MimePart]) -> None:
        marker = self._folder / "var/lib/cloud/scripts-ran"
        if marker.exists():
            return
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()  # before they run: cloud-init does not repeat a script that was cut short
        waiting = list(enumerate(parts))

        def run_next(_: int) -> None:
            if waiting and not self._powering_off:
                number, part = waiting.pop(0)
                self._execute(f"part-{number:03}", part.content, run_next)

        run_next(0)

    def _execute(self, name: str, content: bytes, on_exit: Callable[[int], None]) -> None:
        path = self._folder / "var/lib/cloud/scripts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o700)

        def ended(status: int) -> None:
            if status:
                self.write_console(f"cloud-init: {name} failed with status {status}")
            on_exit(status)

        try:
            self._loop.spawn([str(path)], ended, env=self._env, cwd="/")
        except OSError as error:
            self.write_console(
                f"cloud-init: {name} cannot be executed ({error}): does it begin with #! ?"
            )
            on_exit(126)

    # Power.

    def _cord(self) -> None:
        request = os.read(sys.stdin.fileno(), 4096)
        if not request:
            self._cut_power()
        if b"stop" in request:
            self._power_off("the power button was pressed")

    def _cut_power(self) -> None:
        """Kill everything at once and exit, as the host has gone."""
        if not self._alone:
            processes.kill_descendants()
        os._exit(1)  # in a PID namespace the kernel kills the rest

    def _power_off(self, reason: str) -> None:
        if not self._powering_off:
            self._powering_off = True
            self.write_console(f"Powering off ({reason}).")

    def _end_the_rest(self) -> None:
        deadline = time.monotonic() + FINAL_TERM_SECONDS
        left = processes.descendants(os.getpid())
        processes.send(left, signal.SIGTERM)

        def are_gone() -> bool:
            return not processes.descendants(os.getpid()) or time.monotonic() > deadline

        def look_again() -> None:
            self._loop.call_later(0.02, look_again)

        if left:
            look_again()
            self._loop.run_until(are_gone)
        processes.kill_descendants()

    # Requests of the command stubs.

    def _serve_control(self) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(f"\0{self._env[CONTROL]}")
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            connection.settimeout(1.0)
            with connection, contextlib.suppress(OSError):
                # The socket's name is in /proc/net/unix, for every user of the machine to read.
                if not credentials.are_own(credentials.of_peer(connection)):
                    return
                request = connection.recv(4096).decode().strip()
                connection.sendall(self._answer(request).encode() + b"\n")

        self._loop.watch(listener, serve)

    def _answer(self, request: str) -> str:
        if request == "poweroff":
            self._power_off("poweroff was called")
            return ""
        if request == "systemctl":
            return DEADLOCK if self._in_boothook else ""
        return f"unknown request {request!r}"
