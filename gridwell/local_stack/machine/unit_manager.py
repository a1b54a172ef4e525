"""Manager of a machine's units: start order, and actions when a unit ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridwell.local_stack.machine.service import START_LIMIT, SUCCESS, ServiceProcess
from gridwell.local_stack.machine.unit_file import parse_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gridwell.local_stack.machine.event_loop import Loop

UNIT_FOLDER = "etc/systemd/system"
TARGET = "multi-user.target"


class Manager:
    """Starts the enabled units of an image and stops them at shutdown.

    Args:
        loop: the machine's event loop.
        env: the environment that every service gets.
        home: the folder that stands for /opt/gridwell.
        write_console: writes a line on the console.
        power_off: called with the reason when a unit's end switches the machine off.
    """

    def __init__(
        self,
        *,
        loop: Loop,
        env: Mapping[str, str],
        home: Path,
        write_console: Callable[[str], None],
        power_off: Callable[[str], None],
    ) -> None:
        self.loop = loop
        self.env = env
        self.write_console = write_console
        self._home = home
        self._power_off = power_off
        self._services: dict[str, ServiceProcess] = {}
        self._outcomes: dict[str, bool] = {}  # name -> how its start ended
        self._begun: set[str] = set()
        self._early = True
        self._shutting_down = False

    def start_early(self) -> None:
        """Start those enabled units that wait for nothing, not even for cloud-init."""
        self._load()
        self._start_ready()

    def start_enabled(self) -> None:
        """Start what multi-user.target wants, and whatever that requires or wants."""
        self._load()
        self._early = False
        self._start_ready()

    def _load(self) -> None:
        folder = self._home / UNIT_FOLDER
        wanted = folder / f"{TARGET}.wants"
        names = sorted(path.name for path in wanted.iterdir()) if wanted.is_dir() else []
        while names:
            name = names.pop()
            path = folder / name
            if name in self._services or name.endswith(".target") or not path.exists():
                continue
            unit = parse_unit(name, path.read_text(), self._home)
            for warning in unit.warnings:
                self.write_console(warning)
            if not unit.commands:
                self.write_console(f"{name}: Service has no ExecStart= setting. Refusing.")
                continue
            self._services[name] = ServiceProcess(unit, self)
            names += sorted(unit.requires | unit.wants)

    def _start_ready(self) -> None:
        for name, service in self._services.items():
            if name in self._begun or self._shutting_down:
                continue
            unit = service.unit
            if self._early and unit.default_dependencies:
                continue
            missing = {n for n in unit.requires if self._is_missing(n)}
            if missing:
                self._refuse(name, f"required {', '.join(sorted(missing))} did not start")
            elif all(n in self._outcomes for n in unit.after if n in self._services):
                self._begun.add(name)
                service.start()

    def _is_missing(self, name: str) -> bool:
        if name in self._services:
            return self._outcomes.get(name) is False
        return not name.endswith(".target")

    def _refuse(self, name: str, reason: str) -> None:
        self._begun.add(name)
        self.write_console(f"Dependency failed for {name}: {reason}.")
        self.started(name, ok=False)

    def started(self, name: str, *, ok: bool) -> None:
        """Note how the start of a unit ended, and start those that waited for it."""
        self._outcomes[name] = ok
        # Not at once: a start that fails inside of a start must not nest.
        self.loop.call_later(0, self._start_ready)

    def ended(self, name: str, result: str) -> None:
        """Act on the end of a unit: success action, failure action, start limit action.

        As with systemd a failure counts also where the unit would be started again.
        """
        if self._shutting_down:
            self.loop.call_later(0, self._stop_ready)
            return
        unit = self._services[name].unit
        if result == SUCCESS:
            actions = [unit.success_action]
        elif result == START_LIMIT:
            actions = [unit.start_limit_action, unit.failure_action]
        else:
            actions = [unit.failure_action]
        if any(action != "none" for action in actions):
            self._power_off(f"{name}: {result}")

    def stop_all(self) -> None:
        """Stop every unit, each after those that come after it."""
        self._shutting_down = True
        self._stop_ready()

    def _stop_ready(self) -> None:
        up = {name: service for name, service in self._services.items() if service.is_up}
        for name, service in up.items():
            if not any(name in other.unit.after for n, other in up.items() if n != name):
                service.stop()

    @property
    def is_down(self) -> bool:
        """True if no unit is up."""
        return not any(service.is_up for service in self._services.values())
