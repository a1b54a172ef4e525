"""Log formats: one JSON object a line for machines, one plain line for people.

Each record names its event in `action`. Job, instance and the like are fields of their own (the
`extra` of the call), so that no reader must parse sentences.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from contextvars import ContextVar
from typing import Any, Final, TextIO

from gridwell.engine.printable import printable, redacted

FORMAT: Final = "GRIDWELL_LOG_FORMAT"  #: json or text
JSON: Final = "json"
TEXT: Final = "text"

#: The request that this thread serves, if any; each of its log lines names it.
REQUEST: ContextVar[str] = ContextVar("request", default="")
#: The client whose request that is, once it is known.
CLIENT: ContextVar[str] = ContextVar("client", default="")

_LINE: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"
_STACK: Final = "    | "  #: begins each line of an error's stack, so that none passes for a record
#: What every record has: the rest are the fields of its call.
_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "message", "taskName"}
_LONGEST: Final = 10_000  #: characters of a text: CloudWatch cuts lines at 256 KB


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields: dict[str, Any] = {
            "at": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:_LONGEST],
        }
        fields |= _of_request(record)
        # Never over one of ours: a field of that name would hide when or what.
        own = {name: value for name, value in vars(record).items() if name not in _USUAL}
        fields = own | fields
        if record.exc_info:
            # Made already where it would have shown a key.
            fields["error"] = (record.exc_text or self.formatException(record.exc_info))[-_LONGEST:]
        return json.dumps(fields, default=str, separators=(",", ":"))


class TextFormatter(logging.Formatter):
    """A record as one printable line, with its time in UTC.

    The lines of an error's stack follow, each with a mark. So no text that an error quotes looks
    like a record of its own or moves a terminal's cursor.

    Args:
        line: what it holds, in the style of `logging`.
    """

    def __init__(self, line: str = _LINE) -> None:
        super().__init__(line)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's
        """Return the time of a record, as in JSON."""
        return _time(record.created)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        """Return the line without the stack."""
        line = printable(super().formatMessage(record))[:_LONGEST]
        return line + "".join(f" {name}={value}" for name, value in _of_request(record).items())

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the lines of the stack."""
        line, *stack = super().format(record).split("\n")
        return "\n".join([line, *(f"{_STACK}{printable(part)}" for part in stack)])


def formatter(stream: TextIO) -> logging.Formatter:
    """Return the formatter that `GRIDWELL_LOG_FORMAT` names; else text for a terminal, or JSON."""
    asked = os.environ.get(FORMAT, "")
    if asked not in ("", JSON, TEXT):
        sys.stderr.write(f"{FORMAT}: it is {asked!r}, neither {JSON} nor {TEXT}, and so ignored\n")
        asked = ""
    text = asked == TEXT or (not asked and stream.isatty())
    return TextFormatter() if text else JsonFormatter()


def warn_on_stderr() -> None:
    """Log warnings and errors without their times, for a command that a person runs."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def log_to_stderr() -> None:
    """Log records from level INFO on, a line each."""
    hide_keys()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(sys.stderr))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("botocore").setLevel(logging.WARNING)  # it logs its configuration


def hide_keys() -> None:
    """Remove the secrets of keys from all log records of this process."""
    make = logging.getLogRecordFactory()
    if getattr(make, "hides_keys", False):
        return

    def make_hidden(*args: Any, **options: Any) -> logging.LogRecord:
        record = make(*args, **options)
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            return record  # logging itself reports a message that does not fit its arguments
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


class LogThrottle:
    """Count of equal events, of which one log line at most is due in `seconds`.

    Not safe to share between threads without a lock.

    Args:
        seconds: between two lines.
    """

    def __init__(self, seconds: float = 10.0) -> None:
        self._seconds = seconds
        self._count = 0
        self._logged_at = float("-inf")

    def add(self, count: int, now: float) -> int:
        """Count events and return the number that a line is due for, or 0 if none is due.

        Args:
            count: of new events.
            now: seconds by a monotonic clock.
        """
        self._count += count
        if now - self._logged_at < self._seconds:
            return 0
        due, self._count, self._logged_at = self._count, 0, now
        return due


def _of_request(record: logging.LogRecord) -> dict[str, str]:
    """Return the request that this thread serves, and its client.

    A record that has such a field of its own is about another request, or about many.
    """
    known = {"request": REQUEST.get(), "client": CLIENT.get()}
    return {name: value for name, value in known.items() if value and name not in vars(record)}


def _time(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds * 1000) % 1000:03d}Z"
