"""Layout of all pages: headers, variables of templates, and addresses of static files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flask import request

import gridwell
from web_tier.auth.caller import caller
from web_tier.auth.host_check import is_ours
from web_tier.auth.security_headers import harden
from web_tier.dependencies import current
from web_tier.pages.formatting import code_spans

if TYPE_CHECKING:
    from flask import Flask

STATIC: Final = Path(__file__).parents[1] / "static"


def static_path() -> str:
    """Return the path of static files, which changes with any of them.

    So a browser may keep them for ever, and never shows an old script with a new page.
    """
    digest = hashlib.sha256()
    for file in sorted(STATIC.rglob("*")):
        if file.is_file():
            digest.update(file.relative_to(STATIC).as_posix().encode() + b"\0" + file.read_bytes())
    return f"/static/{digest.hexdigest()[:12]}"


def furnish(app: Flask) -> None:
    """Set headers, variables and filters of an application's pages."""
    app.after_request(harden)
    app.context_processor(_names)
    app.add_template_filter(code_spans)


def _names() -> dict[str, Any]:
    known, is_open = caller(), current().access.keyring is None
    return {
        "own_url": _own_url(),
        "client": None if known.key is None else known.client,
        "version": gridwell.__version__ if is_open or known.key is not None else "",
    }


def _own_url() -> str:
    """Return the address of this service for examples: never one that only the request claims."""
    ours = is_ours(request.host, current().access.hosts or ())
    return request.host_url.rstrip("/") if ours else "$GRIDWELL_URL"
