"""What every program does first: read its settings, set up its log."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import ValidationError

from gridwell.domain.access import redacted

if TYPE_CHECKING:
    from collections.abc import Callable

_Settings = TypeVar("_Settings")
PREFIX: Final = "GRIDWELL_"  #: of every environment variable that is ours
_USAGE: Final = 2


def read_settings(read: Callable[[], _Settings]) -> _Settings:
    """The settings; ends the program if they cannot be used, telling all that is wrong at once.

    Args:
        read: makes them of the environment, like a class of pydantic-settings.
    """
    try:
        return read()
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            name = PREFIX + "_".join(str(part) for part in fault["loc"]).upper()
            given = "it is not set" if fault["type"] == "missing" else f"it is {fault['input']!r}"
            sys.stderr.write(f"{name}: {fault['msg']}; {given}\n")
        raise SystemExit(_USAGE) from error


def log_to_stderr() -> None:
    """Log what matters to an operator, a line a record."""
    hide_keys()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)  # it tells where it found each thing


def hide_keys() -> None:
    """Let no log record of this process, whoever writes it, show the secret of a key."""
    make = logging.getLogRecordFactory()
    if getattr(make, "hides_keys", False):
        return

    def make_hidden(*args: Any, **options: Any) -> logging.LogRecord:
        record = make(*args, **options)
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            return record  # logging itself tells of a message that does not fit its arguments
        if redacted(message) != message:
            record.msg, record.args = redacted(message), ()
        if record.exc_info and record.exc_info[0] is not None:
            # Formatters write this instead of formatting the exception themselves.
            trace = logging.Formatter().formatException(record.exc_info)
            if redacted(trace) != trace:
                record.exc_text = redacted(trace)
        return record

    make_hidden.hides_keys = True  # type: ignore[attr-defined]  # functions may carry marks
    logging.setLogRecordFactory(make_hidden)
