"""The modules of a checkout that one of its packages imports, found without running any."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_TYPES_ONLY: Final = ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def import_closure(project: Path, package: str) -> set[Path]:
    """Return the source files of a package, and of all that it imports directly or through others.

    Every import statement counts, also one in a function, but for those under `if TYPE_CHECKING`.
    A module that is imported by a computed name is found only inside the package.

    Args:
        project: the folder of the top-level packages; modules that are not in it are left out.
        package: the name of a top-level package.

    Raises:
        ServiceError: if the package is missing, or a module cannot be parsed.
    """
    waiting = list((project / package).rglob("*.py"))
    if not waiting:
        raise ServiceError(f"{project} has no package {package}")
    found: set[Path] = set()
    while waiting:
        source = waiting.pop()
        if source not in found:
            found.add(source)
            waiting += _imported(source, project)
    return found


def _imported(source: Path, project: Path) -> Iterator[Path]:
    """Yield the files of the modules that a source file imports, and of their packages."""
    try:
        tree = ast.parse(source.read_bytes(), source)
    except (SyntaxError, ValueError) as error:
        raise ServiceError(f"{source} cannot be parsed: {error}") from error
    folder = source.relative_to(project).parent.parts
    for name in _names(tree, folder):
        place = project
        for part in name:
            place /= part
            for file in (place / "__init__.py", place.with_name(f"{part}.py")):
                if file.is_file():
                    yield file


def _names(node: ast.AST, folder: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield the parts of each absolute name that a tree imports.

    Args:
        node: of the syntax tree.
        folder: the package of its module, for relative imports.
    """
    if isinstance(node, ast.Import):
        yield from (alias.name.split(".") for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        start = folder[: len(folder) - node.level + 1] if node.level else ()
        module = node.module.split(".") if node.module else []
        # What is imported from a package may be a module of it.
        yield from ([*start, *module, alias.name] for alias in node.names)
    for child in _running(node):
        yield from _names(child, folder)


def _running(node: ast.AST) -> Iterable[ast.AST]:
    """Return the children of a node, without those that are for type checkers alone."""
    if isinstance(node, ast.If) and ast.unparse(node.test) in _TYPES_ONLY:
        return node.orelse
    return ast.iter_child_nodes(node)
