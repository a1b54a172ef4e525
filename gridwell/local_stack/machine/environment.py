"""The environment of a service: what its unit says, expanded as systemd does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_BRACED = re.compile(r"\$\{(\w+)\}")
_WHOLE_WORD = re.compile(r"^\$(\w+)$")


def read_environment_files(files: Iterable[tuple[str, bool]]) -> dict[str, str]:
    """Return the variables of EnvironmentFile= lines; later files win.

    Args:
        files: paths, each with whether it may be absent (a leading `-`).

    Raises:
        OSError: a file that must be there is not.
    """
    values: dict[str, str] = {}
    for path, may_be_absent in files:
        try:
            text = Path(path).read_text()
        except FileNotFoundError:
            if may_be_absent:
                continue
            raise
        for raw in text.splitlines():
            line = raw.strip()
            name, separator, value = line.partition("=")
            if separator and line[0] not in "#;":
                values[name.strip()] = " ".join(shlex.split(value)) if value else ""
    return values


def expand(words: Iterable[str], env: Mapping[str, str]) -> list[str]:
    """Expand variables: `${NAME}` inside a word, `$NAME` alone to several words."""
    expanded: list[str] = []
    for word in words:
        if whole := _WHOLE_WORD.match(word):
            expanded += env.get(whole.group(1), "").split()
        else:
            found = _BRACED.sub(lambda match: env.get(match.group(1), ""), word)
            expanded.append(found.replace("$$", "$").replace("%%", "%"))
    return expanded
