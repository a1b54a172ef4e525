"""Caller of the current request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flask import g, has_request_context

from gridwell.engine.job import PUBLIC_CLIENT
from gridwell.program.logs import CLIENT

if TYPE_CHECKING:
    from gridwell.access.keys import AccessKey
    from gridwell.access.session import Session

_CALLER: Final = "gridwell_caller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A client, its key and its session; without keys all callers are one client."""

    client: str = PUBLIC_CLIENT
    key: AccessKey | None = None
    session: Session | None = None  #: of a browser that logged in by the key


NOBODY: Final = Caller()


def set_caller(caller: Caller) -> None:
    """Store the caller of the current request."""
    setattr(g, _CALLER, caller)
    CLIENT.set(caller.client)


def caller() -> Caller:
    """Return the caller of the current request; `NOBODY` where no key is required."""
    found: Caller = getattr(g, _CALLER, NOBODY) if has_request_context() else NOBODY
    return found
