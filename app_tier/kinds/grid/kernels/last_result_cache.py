"""Cache of one result for the latest atoms, for as long as these are in use."""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from gridwell.kinds.grid.atoms import Atoms

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

P = ParamSpec("P")
T = TypeVar("T")

_results: Final[dict[Hashable, Any]] = {}  #: by the function and its other arguments
_latest: weakref.ref[Atoms] | None = None


def latest(function: Callable[P, T]) -> Callable[P, T]:
    """Keep the result of a function's last call, for another with the same atoms and arguments.

    What is kept is of one `Atoms` for all functions together.  It is let go before anything is
    found out of others, and when these atoms are: two problems never have it at once.

    Args:
        function: of positional arguments, one of them `Atoms`, which its result must not hold.
    """

    @functools.wraps(function)
    def kept(*arguments: P.args, **named: P.kwargs) -> T:
        global _latest  # noqa: PLW0603 - of a process there is one
        atoms = next(value for value in arguments if isinstance(value, Atoms))
        if _latest is None or _latest() is not atoms:
            forget()
            _latest = weakref.ref(atoms, _forget_atoms)
        others = *(value for value in arguments if value is not atoms), *named.items()
        before = _results.get(function)
        if before is not None and before[0] == others:
            result: T = before[1]
            return result
        before = None
        _results.pop(function, None)
        result = function(*arguments, **named)
        _results[function] = others, result
        return result

    return kept


def forget() -> None:
    """Keep nothing any more."""
    _results.clear()


def _forget_atoms(ended: weakref.ref[Atoms]) -> None:
    if ended is _latest:
        forget()
