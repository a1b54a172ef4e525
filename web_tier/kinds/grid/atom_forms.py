"""The forms in which atoms are handed out, chosen by Accept or by `?format=`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.kinds.grid.formats import csv_atoms, json_atoms, npy_atoms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Request

    from gridwell.kinds.grid.atoms import Atoms


@dataclass(frozen=True, slots=True)
class AtomForm:
    """One of the forms in which atoms are handed out."""

    suffix: str  #: tells this form's ETag from those of the others
    content_type: str
    write: Callable[[Atoms], Iterator[bytes]]


FORMS: Final = {
    "application/json": AtomForm("json", "application/json", json_atoms),
    "text/csv": AtomForm("csv", "text/csv; charset=utf-8; header=present", csv_atoms),
    "application/x-npy": AtomForm("npy", "application/x-npy", npy_atoms),
    "application/octet-stream": AtomForm("npy", "application/octet-stream", npy_atoms),
}


def chosen_form(request: Request) -> AtomForm | None:
    """Return the form of atoms that the client likes best: JSON if it does not say, None if none.

    A link cannot send Accept, so `?format=` says it too, and stands over it.
    """
    if (suffix := request.args.get("format")) is not None:
        return next((form for form in FORMS.values() if form.suffix == suffix), None)
    if not request.headers.get("Accept"):
        return FORMS["application/json"]
    best = request.accept_mimetypes.best_match(FORMS)
    return None if best is None else FORMS[best]
