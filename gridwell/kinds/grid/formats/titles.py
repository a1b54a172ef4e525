"""Titles: what people wrote, made fit for a line of a file."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 72  #: so that no line of a file passes the 80 columns that old readers keep


def one_line(text: str, longest: int = LONGEST) -> str:
    """Text as one short line of printable ASCII; what is none of it becomes a question mark."""
    plain = "".join(c if " " <= c <= "~" else "?" for c in " ".join(text.split()))
    return plain if len(plain) <= longest else plain[: longest - 3] + "..."


def shortened(text: str, longest: int = 200) -> str:
    """Text as one short line of printable characters, for people to read."""
    return "".join(c for c in " ".join(text[: 2 * longest].split()) if c.isprintable())[:longest]
