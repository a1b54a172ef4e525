"""One unit: start, supervision, restart, stop.

It follows the measured behaviour of systemd 252.  Under `Restart=on-failure` exit 0 ends the unit
and exit 75 restarts it.  A start beyond the start limit fails it.  Processes that the main process
leaves behind are killed before the unit counts as down.
"""

from __future__ import annotations

import secrets
import signal
import time
from typing import TYPE_CHECKING, Protocol

from gridwell.local_stack.machine.environment import expand, read_environment_files
from gridwell.local_stack.machine.notify import NotifySocket
from gridwell.local_stack.machine.processes import INVOCATION, marked, send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gridwell.local_stack.machine.event_loop import Loop, Timer
    from gridwell.local_stack.machine.unit_file import Command, Unit

#: Ends that systemd calls clean beside exit 0.
CLEAN_SIGNALS = frozenset(
    -number for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGTERM)
)
NOTIFY_START_SECONDS = 90.0
SWEEP_SECONDS = 0.02
CANNOT_EXECUTE = 203
WATCHDOG, TIMEOUT, EXIT_CODE, START_LIMIT, SUCCESS, PROTOCOL = (
    "watchdog",
    "timeout",
    "exit-code",
    "start-limit-hit",
    "success",
    "protocol",
)


class Owner(Protocol):
    """The machine, as its services use it."""

    loop: Loop
    env: Mapping[str, str]

    def write_console(self, text: str) -> None:
        """Write a line on the console."""

    def started(self, name: str, *, ok: bool) -> None:
        """Note the end of a unit's start, for the units that come after it."""

    def ended(self, name: str, result: str) -> None:
        """Note that a unit is down; it may restart later."""


class ServiceProcess:
    """The running side of a unit."""

    def __init__(self, unit: Unit, owner: Owner) -> None:
        self.unit = unit
        self.state = "inactive"
        self._owner = owner
        self._pid: int | None = None
        self._queue: list[Command] = []
        self._command: Command | None = None
        self._env: dict[str, str] = {}
        self._invocation = ""
        self._starts: list[float] = []
        self._announced = False  # whether the owner knows how the start went
        self._stopping = False
        self._failure: str | None = None  # why it was killed, which its exit cannot tell
        self._last_status = 0
        self._timers: dict[str, Timer] = {}
        self._notify: NotifySocket | None = None

    @property
    def is_up(self) -> bool:
        """True if something of the unit is running, or waits to run again."""
        return self.state not in ("inactive", "failed")

    # Starting.

    def start(self) -> None:
        """Start the unit, unless it was started too often of late."""
        unit, now = self.unit, time.monotonic()
        self._starts = [at for at in self._starts if now - at < unit.start_limit_seconds]
        if len(self._starts) >= unit.start_limit_burst > 0:
            self._owner.write_console(f"{unit.name}: Start request repeated too quickly.")
            self._down(START_LIMIT)
            return
        self._starts.append(now)
        self._failure, self._stopping = None, False
        self._invocation = secrets.token_hex(16)
        self.state = "starting"
        try:
            self._prepare()
        except OSError as error:
            self._owner.write_console(f"{unit.name}: Failed to load environment files: {error}")
            self._down(EXIT_CODE)
            return
        self._queue = [*unit.commands_before, *unit.commands]
        if unit.type == "notify" or unit.start_timeout is not None:
            limit = unit.start_timeout if unit.start_timeout is not None else NOTIFY_START_SECONDS
            self._arm("start", limit, lambda: self._give_up(TIMEOUT, "start operation timed out"))
        self._next_command()

    def _prepare(self) -> None:
        unit = self.unit
        files = read_environment_files(unit.environment_files)
        self._env = {**self._owner.env, **unit.environment, **files, INVOCATION: self._invocation}
        if unit.type == "notify" or unit.watchdog_seconds:
            self._notify = NotifySocket(self._on_notification)
            self._owner.loop.watch(self._notify.socket, self._notify.read)
            self._env["NOTIFY_SOCKET"] = f"@{self._notify.name}"
        if unit.watchdog_seconds:
            self._env["WATCHDOG_USEC"] = str(int(unit.watchdog_seconds * 1e6))

    def _next_command(self) -> None:
        self._command = command = self._queue.pop(0)
        argv = expand(command.words, self._env)
        try:
            self._pid = self._owner.loop.spawn(
                argv, self._exited, env=self._env, cwd=self.unit.working_directory or "/"
            )
        except OSError as error:
            self._owner.write_console(f"{self.unit.name}: Failed to execute {argv[0]}: {error}")
            self._exited(CANNOT_EXECUTE)
            return
        if self._queue or self.unit.type not in ("simple", "exec"):
            return
        self._is_active()

    def _is_active(self) -> None:
        self._disarm("start")
        self.state = "active"
        if self.unit.watchdog_seconds and self._pid is not None:
            self._feed()
        self._announce(ok=True)

    def _announce(self, *, ok: bool) -> None:
        if not self._announced:
            self._announced = True
            if ok:
                self._owner.write_console(f"Started {self.unit.name} - {self.unit.description}.")
            self._owner.started(self.unit.name, ok=ok)

    # Notifications of the service.

    def _on_notification(self, sender: int, lines: list[str]) -> None:
        if self.unit.notify_access == "none" or not self.is_up:
            return
        if self.unit.notify_access in ("main", "exec") and sender != self._pid:
            self._owner.write_console(
                f"{self.unit.name}: Got notification message from PID {sender}, but reception"
                f" only permitted for main PID {self._pid}"
            )
            return
        if "READY=1" in lines and self.state == "starting":
            self._is_active()
        if "WATCHDOG=1" in lines and self.state == "active":
            self._feed()

    def _feed(self) -> None:
        seconds = self.unit.watchdog_seconds
        text = f"Watchdog timeout (limit {seconds:g}s)!"
        self._arm("watchdog", seconds, lambda: self._give_up(WATCHDOG, text, signal.SIGABRT))

    # Ending.

    def stop(self) -> None:
        """Stop the unit: SIGTERM, and SIGKILL after TimeoutStopSec."""
        self._stopping = True
        if self.state == "waiting":
            self._disarm("restart")
            self._down(SUCCESS)
        elif self._pid is None:
            self._down(SUCCESS)
        elif self.state != "stopping":
            self._terminate(signal.SIGTERM)

    def _give_up(self, result: str, text: str, number: signal.Signals = signal.SIGTERM) -> None:
        self._owner.write_console(f"{self.unit.name}: {text}")
        self._failure = result
        self._terminate(number)

    def _terminate(self, number: signal.Signals) -> None:
        self.state = "stopping"
        for name in ("start", "watchdog"):
            self._disarm(name)
        if self._pid is not None:
            send([self._pid], number)
        if self.unit.kill_mode == "control-group":
            send([pid for pid in self._members() if pid != self._pid], number)
        self._arm("stop", self.unit.stop_timeout, self._kill)

    def _kill(self) -> None:
        self._owner.write_console(f"{self.unit.name}: State 'stop-sigterm' timed out. Killing.")
        self._failure = self._failure or TIMEOUT
        send(self._members(), signal.SIGKILL)

    def _members(self) -> list[int]:
        return marked(INVOCATION, self._invocation)

    def _exited(self, status: int) -> None:
        self._pid, self._last_status = None, status
        command, result = self._command, self._result(status)
        if result == SUCCESS or (command and command.may_fail):
            going_on = self._queue and self._failure is None and not self._stopping
            if going_on:
                self._next_command()
                return
            result = SUCCESS if self._failure is None else result
            if self.unit.type == "oneshot" and self.unit.remain_after_exit and not self._stopping:
                self._is_active()
                return
        else:
            how = "exited, code=exited, status=" if status >= 0 else "killed, code=killed, signal="
            self._owner.write_console(f"{self.unit.name}: Main process {how}{abs(status)}")
        self._disarm("watchdog")
        self._sweep(result, signal.SIGKILL if self.unit.kill_mode == "mixed" else signal.SIGTERM)

    def _result(self, status: int) -> str:
        if self._failure is not None:
            return self._failure
        if self.unit.type == "notify" and self.state == "starting" and not self._queue:
            return PROTOCOL  # gone before it said READY=1
        clean = status == 0 or status in CLEAN_SIGNALS or status in self.unit.success_statuses
        return SUCCESS if clean else EXIT_CODE

    def _sweep(self, result: str, number: signal.Signals) -> None:
        """Wait until nothing of this start is left, then be down."""
        members = self._members()
        if not members:
            self._down(result, may_restart=True)
            return
        send(members, number)
        self.state = "stopping"
        if "stop" not in self._timers:
            self._arm("stop", self.unit.stop_timeout, self._kill)
        self._arm("sweep", SWEEP_SECONDS, lambda: self._await_sweep(result))

    def _await_sweep(self, result: str) -> None:
        if self._members():
            self._arm("sweep", SWEEP_SECONDS, lambda: self._await_sweep(result))
        else:
            self._down(result, may_restart=True)

    def _down(self, result: str, *, may_restart: bool = False) -> None:
        for name in list(self._timers):
            self._disarm(name)
        if self._notify is not None:
            self._owner.loop.unwatch(self._notify.socket)
            self._notify.close()
            self._notify = None
        if may_restart and not self._stopping and self._restarts(result):
            self.state = "waiting"
            self._owner.write_console(
                f"{self.unit.name}: {result}; restarting in {self.unit.restart_seconds:g}s."
            )
            self._arm("restart", self.unit.restart_seconds, self.start)
            self._announce(ok=False)
            if result != SUCCESS:
                self._owner.ended(self.unit.name, result)
            return
        self.state = "inactive" if result == SUCCESS else "failed"
        text = "Deactivated successfully." if result == SUCCESS else f"Failed with '{result}'."
        self._owner.write_console(f"{self.unit.name}: {text}")
        self._announce(ok=result == SUCCESS)
        self._owner.ended(self.unit.name, result)

    def _restarts(self, result: str) -> bool:
        if self._last_status in self.unit.restart_never_on:
            return False
        if self.unit.restart == "on-failure":
            return result != SUCCESS
        return self.unit.restart == "always"

    # Timers.

    def _arm(self, name: str, seconds: float, call: Callable[[], None]) -> None:
        self._disarm(name)
        if seconds != float("inf"):
            self._timers[name] = self._owner.loop.call_later(seconds, call)

    def _disarm(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
