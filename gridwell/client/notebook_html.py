"""Jobs and results as small HTML tables for notebooks, every text escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gridwell.client.status import JobStatus


def job_html(status: JobStatus, *, url: str) -> str:
    """Return a job as a table, with a link to its page.

    Args:
        status: as last seen.
        url: of the service.
    """
    done, total, words = status.measure
    bar = f'<progress max="{total}" value="{done}"></progress>'
    rows = [
        ("state", escape(status.state)),
        ("progress", f"{bar} {escape(words)}"),
        *((escape(name), escape(value)) for name, value in status.facts()),
    ]
    if status.error is not None:
        rows.append(("error", escape(f"{status.error.code}: {status.error.detail}")))
    page = escape(url + status.links.get("page", "/"), quote=True)
    rows.append(("page", f'<a href="{page}">{escape(status.id)}</a>'))
    return _table(rows)


def table(facts: Iterable[tuple[str, str]]) -> str:
    """Return names and values as a table."""
    return _table((escape(name), escape(value)) for name, value in facts)


def _table(rows: Iterable[tuple[str, str]]) -> str:
    """A table of names and values that are HTML already."""
    lines = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
    return f"<table>{lines}</table>"
