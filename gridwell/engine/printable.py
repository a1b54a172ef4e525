"""Text from outside made fit for a log, a terminal and an error.  Pure."""

from __future__ import annotations

import re
from typing import Final

#: A key in other text, also where it was cut short: what begins like a secret is hidden.
#: The same of a browser's session, see `gridwell.access.session`.
_SECRET: Final = re.compile(r"(gws?_[0-9a-f]{12})_[A-Za-z0-9_-]+", re.ASCII)


def printable(text: str) -> str:
    r"""Return a text on one line, with every character that is not printable escaped.

    Line ends, terminal escapes, marks of direction, invisible characters and halves of surrogate
    pairs are written as `repr` writes them, such as ``\\n`` or ``\\u202e``.  A text that is
    printable stays as it is, so the function may be applied twice.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    """Return a text with all but its line ends as `printable` writes it."""
    return "\n".join(map(printable, text.split("\n")))


def redacted(text: str) -> str:
    """Return the same text with the secret of every key and session in it left out."""
    return _SECRET.sub(r"\1_…", text) if "gw_" in text or "gws_" in text else text


def excerpt(text: str, longest: int) -> str:
    """Return the beginning of a text, printable and without the secret of a key.

    Args:
        text: of any length; only its beginning is looked at.
        longest: characters of the result, but for the mark that it was cut.
    """
    # The rest of a key that is cut here is hidden all the same; see `_SECRET`.
    shown = redacted(printable(text[: longest + 1]))
    return shown if len(shown) <= longest and len(text) <= longest else f"{shown[:longest]}…"
