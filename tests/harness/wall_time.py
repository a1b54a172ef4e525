"""Find assertions that something is faster than a bound, by the wall clock."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_WALL_CLOCKS: Final = frozenset(
    f"{name}{unit}" for name in ("time", "monotonic", "perf_counter") for unit in ("", "_ns")
)


def upper_bounds(source: str) -> list[int]:
    """Return the lines of assertions that a reading of a wall clock is below something.

    A reading is a call of the module `time`, or a variable that was computed from one in the same
    function.  That something took at least some time is no such assertion: a busy machine never
    breaks it.
    """
    tree = ast.parse(source)
    found: set[int] = set()
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            known = _variables(scope)
            found.update(line for line in _bounds(scope, known))
    return sorted(found)


def _variables(scope: ast.AST) -> frozenset[str]:
    known: set[str] = set()
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign | ast.NamedExpr) and _reads(node.value, frozenset(known)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            known.update(
                name.id
                for target in targets
                for name in ast.walk(target)
                if isinstance(name, ast.Name)
            )
    return frozenset(known)


def _bounds(scope: ast.AST, known: frozenset[str]) -> Iterator[int]:
    for node in ast.walk(scope):
        if not isinstance(node, ast.Assert):
            continue
        for compare in ast.walk(node.test):
            if isinstance(compare, ast.Compare):
                sides = [compare.left, *compare.comparators]
                for operator, left, right in zip(compare.ops, sides, sides[1:], strict=False):
                    less = isinstance(operator, ast.Lt | ast.LtE) and _reads(left, known)
                    more = isinstance(operator, ast.Gt | ast.GtE) and _reads(right, known)
                    if less or more:
                        yield compare.lineno


def _reads(node: ast.AST, known: frozenset[str]) -> bool:
    """Return whether an expression is computed from a reading by arithmetic alone."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="time"), attr=name)):
            return name in _WALL_CLOCKS
        case ast.Name(id=name):
            return name in known
        case ast.BinOp(left=left, right=right):
            return _reads(left, known) or _reads(right, known)
        case ast.Call(func=ast.Name(id="max" | "min" | "sum" | "round"), args=arguments):
            return any(_reads(argument, known) for argument in arguments)
        case _:
            return False
