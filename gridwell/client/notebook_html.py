"""Jobs and results as notebooks show them: small tables, every text escaped.  Pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gridwell.client.status import JobStatus, Result


def result_html(result: Result) -> str:
    """A result as a table; numbers keep every bit."""
    return _table(_result_rows(result))


def job_html(status: JobStatus, *, url: str) -> str:
    """A job as a table, with a link to its page.

    Args:
        status: as last seen.
        url: of the service.
    """
    done, total, words = status.measure
    bar = f'<progress max="{total}" value="{done}"></progress>'
    rows = [
        ("state", escape(status.state)),
        ("progress", f"{bar} {escape(words)}"),
        ("grid", " x ".join(map(str, status.shape))),
        ("atoms", f"{status.atom_count:,}"),
    ]
    if status.result is not None:
        rows += _result_rows(status.result)
    if status.error is not None:
        rows.append(("error", escape(f"{status.error.code}: {status.error.detail}")))
    page = escape(url + status.links.get("page", "/"), quote=True)
    rows.append(("page", f'<a href="{page}">{escape(status.id)}</a>'))
    return _table(rows)


def _result_rows(result: Result) -> list[tuple[str, str]]:
    return [
        ("minimum", escape(repr(result.minimum))),
        ("point", escape(repr(result.point))),
        ("index", escape(repr(result.index))),
    ]


def _table(rows: Iterable[tuple[str, str]]) -> str:
    """A table of names and values that are HTML already."""
    lines = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
    return f"<table>{lines}</table>"
