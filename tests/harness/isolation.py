"""Hold unit tests to what they are: none starts a process or listens."""

from __future__ import annotations

import multiprocessing.util
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Whole rooms that start processes or servers, or live through the days of a whole system.
_SYSTEM_ROOMS: Final = frozenset(
    {
        *("ami", "browser", "chaos", "cli", "client", "deploy", "end_to_end", "examples"),
        *("local_stack", "scripts", "simulation", "system", "terminal", "user_data", "web_tier"),
        "workload_generator",
    }
)
#: Fixtures that cost seconds and serve many files: what asks for one runs in one process.  The
#: slowest come first, so that no process is left alone with them in the end.
_SHARED: Final = (
    *("stack", "workshop", "region", "faulty", "browser", "server", "backend", "aws", "memcached"),
)
_STARTED: Final = frozenset({"aws", "memcached"})
_EVENTS: Final = frozenset(
    {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "socket.bind"}
)


class NotAUnitTestError(BaseException):
    """A test without the mark `system` starts a process or listens."""


class _Guard:
    """Knows the test that runs now, where that is a unit test."""

    unit_test: str | None = None

    def see(self, event: str, _arguments: tuple[Any, ...]) -> None:
        """Raise where a unit test does what it may not; other threads may be older tests'."""
        if self.unit_test is None or event not in _EVENTS:
            return
        if threading.current_thread() is threading.main_thread():
            words = f"{self.unit_test}: {event} in a unit test"
            raise NotAUnitTestError(f"{words}; use a double, or mark it with pytest.mark.system")


_GUARD: Final = _Guard()


def pytest_configure() -> None:
    """See what every test does from now on, for as long as this process lives."""
    sys.addaudithook(_GUARD.see)
    spawn = multiprocessing.util.spawnv_passfds  # which raises no event

    def spawned(*arguments: Any) -> int:
        _GUARD.see("os.posix_spawn", arguments)
        return spawn(*arguments)

    multiprocessing.util.spawnv_passfds = spawned  # type: ignore[assignment]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is no unit test, and give each test the process that it shares with others."""
    for item in items:
        fixtures = frozenset(getattr(item, "fixturenames", ()))
        room = item.nodeid.split("/")[1]
        if room in _SYSTEM_ROOMS or fixtures & _STARTED:
            item.add_marker(pytest.mark.system)
        if item.config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group(_group(item, room, fixtures)))
    items.sort(key=_place)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Guard a unit test while it runs."""
    _GUARD.unit_test = None if item.get_closest_marker("system") else item.nodeid
    try:
        return (yield)
    finally:
        _GUARD.unit_test = None


def _group(item: pytest.Item, room: str, fixtures: frozenset[str]) -> str:
    for name in _SHARED:
        if name in fixtures:
            return f"{room} {name}"
    return item.nodeid.split("::", maxsplit=1)[0]


_FIRST: Final = ("end_to_end", "ami", "browser", "local_stack", "chaos", "system")


def _place(item: pytest.Item) -> int:
    room = item.nodeid.split("/")[1]
    return _FIRST.index(room) if room in _FIRST else len(_FIRST)
