"""A port of which some calls are refused, as AWS refuses those about one object or one item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gridwell.engine.errors import ServiceDenied

if TYPE_CHECKING:
    from collections.abc import Callable

ARCHIVED = "InvalidObjectState"


class Denying:
    """A port with refusals.

    Args:
        port: keeps the port's promises.
        refuses: whether a call is refused, by the method's name and its arguments.
        code: AWS's name of the refusal.
    """

    def __init__(
        self, port: Any, refuses: Callable[[str, tuple[Any, ...]], bool], *, code: str = ARCHIVED
    ) -> None:
        self.refused = 0  #: calls
        self._port = port
        self._refuses = refuses
        self._code = code

    def __getattr__(self, name: str) -> Any:
        """Give the port's method, which raises where it is refused."""
        method = getattr(self._port, name)
        if not callable(method):
            return method

        def call(*args: Any, **options: Any) -> Any:
            if self._refuses(name, args):
                self.refused += 1
                raise ServiceDenied(f"{name} {args[:1]}: refused ({self._code})", code=self._code)
            return method(*args, **options)

        return call


def about(*first: Any) -> Callable[[str, tuple[Any, ...]], bool]:
    """Calls whose first argument is one of these."""
    return lambda _name, args: bool(args) and args[0] in first


def every(*names: str) -> Callable[[str, tuple[Any, ...]], bool]:
    """All calls, or those of some methods."""
    return lambda name, _args: not names or name in names
