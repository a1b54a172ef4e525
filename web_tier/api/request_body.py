"""Read the body of a submission, and choose the kind that it is for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from gridwell.engine.errors import Fault, GridwellError, InvalidJob
from gridwell.engine.json_text import RepeatedName, check_size, holds_more, names_once, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridwell.engine.kind import Work
    from web_tier.kind import WebKind

_KIND = "kind"


class NotJson(GridwellError):  # noqa: N818 - named for what it is, as all of that tree
    """The body is not JSON text."""


def read_work(body: bytes, kinds: Mapping[str, WebKind]) -> Work:
    """Return what a body asks for, as read by the kind that it names.

    Args:
        body: of the request.
        kinds: by name; the first one reads bodies that name none.

    Raises:
        NotJson: if the body is not JSON, or is nested too deeply.
        InvalidJob: with every fault that can be seen at once.
    """
    fields = json_object(body)
    name = fields.pop(_KIND, None)
    if name is None:
        return next(iter(kinds.values())).read(fields, None)
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        known = ", ".join(sorted(kinds))
        raise InvalidJob(
            Fault(f"/{_KIND}", f"{shown(name)} is no kind of job; give one of {known}")
        )
    return kind.read(fields, name)


def json_object(body: bytes) -> dict[str, Any]:
    """Return the fields of a body, each name of which stands once.

    Raises:
        NotJson: if the body is not JSON, or is nested too deeply.
        InvalidJob: if it is no object, or an object in it repeats a name.
    """
    check_size(body)
    try:
        # NaN and Infinity are no JSON, but many programs write them: read, they are refused with
        # a pointer to each.
        fields = from_json(body, allow_inf_nan=True)
    except ValueError as error:
        raise NotJson(f"the body is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidJob(Fault("", f"{shown(fields)} is not an object with a job's fields"))
    _check_names_once(body, fields)
    return fields


def _check_names_once(body: bytes, fields: dict[str, Any]) -> None:
    """Refuse a body in which a name stands twice in one object.

    The fast parser takes the last of equal names and says nothing.  Each name has a colon, so a
    body with no more colons than its outer objects have names repeats none.  Any other body is
    odd, and is read once more by a parser that sees every name.

    Raises:
        InvalidJob: with the first repeated name.
    """
    parts = [value for value in fields.values() if isinstance(value, dict)]
    if not holds_more(body, ":", sum(map(len, [fields, *parts]))):
        return
    try:
        json.loads(body, object_pairs_hook=names_once)
    except RepeatedName as error:
        raise InvalidJob(Fault("", f"the body has an object in which {error}")) from error
    except ValueError as error:  # what one parser takes for JSON and the other does not
        raise NotJson(f"the body is not JSON: {error}") from error
