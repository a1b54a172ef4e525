"""Numbers, times and triples as people read them.  Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOW: Final = 10.0
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_DAY: Final = 86_400.0
_LEAST_DOLLARS: Final = 1e-4
_SCALES: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def triple(values: Sequence[float]) -> str:
    """Three numbers, with every bit."""
    return ", ".join(f"{value!r}" for value in values)


def code_spans(text: str) -> Markup:
    """A text whose parts between backticks are code."""
    code = Markup("<code>{}</code>")
    parts = enumerate(text.split("`"))
    return Markup().join(code.format(part) if k % 2 else escape(part) for k, part in parts)


def rounded(values: Sequence[float]) -> str:
    """Three coordinates as people read them: without the last digits that a float64 has."""
    return ", ".join(f"{round(value, 6) + 0.0:.10g}" for value in values)


def short(value: float) -> str:
    """A count in three digits: 12.8 M."""
    for scale, letter in _SCALES:
        if value >= scale:
            return f"{value / scale:.3g} {letter}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """A duration in the unit that fits it."""
    if seconds < 1.0:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < _MINUTE:
        return f"{seconds:.2g} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.3g} min"
    return f"{seconds / _HOUR:.3g} h"


def money(dollars: float) -> str:
    """An amount; what is less than a hundredth of a cent is said so."""
    if dollars >= 1.0:
        return f"${dollars:,.2f}"
    return f"${dollars:.4f}" if dollars >= _LEAST_DOLLARS else f"less than ${_LEAST_DOLLARS:.4f}"


def iso(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def ago(then: float, now: float) -> str:
    """How long ago a moment was."""
    seconds = max(0.0, now - then)
    if seconds < _NOW:
        return "just now"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s ago"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min ago"
    if seconds < _DAY:
        return f"{seconds / _HOUR:.0f} h ago"
    return iso(then)[:10]
