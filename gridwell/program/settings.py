"""Reading of a program's settings."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable

_Settings = TypeVar("_Settings")
PREFIX: Final = "GRIDWELL_"  #: of every environment variable that is ours
_USAGE: Final = 2


def read_settings(read: Callable[[], _Settings]) -> _Settings:
    """Return the settings, or end the program with one line for each invalid setting.

    Args:
        read: reads them from the environment, like a class of pydantic-settings.
    """
    try:
        return read()
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            name = PREFIX + "_".join(str(part) for part in fault["loc"]).upper()
            given = "it is not set" if fault["type"] == "missing" else f"it is {fault['input']!r}"
            sys.stderr.write(f"{name}: {fault['msg']}; {given}\n")
        raise SystemExit(_USAGE) from error
