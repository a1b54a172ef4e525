"""Jobs as release 0.1 stored them, until the last of them has expired: seven days after its end.

That release knew grids alone, and kept what is now a job's detail in attributes of their own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from gridwell.engine.canonical_json import sha_of

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The one error that another attempt could not mend, before errors said so themselves.
PERMANENT_CODE: Final = "no_candidate_point"
_FIRST_KIND: Final = "minimum"  #: of jobs that were stored before there were others


def upgraded(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a job's item as this release stores it.

    Args:
        item: of this release, which is returned as it is, or of release 0.1.

    Raises:
        KeyError, TypeError, ValueError: if it is neither.
    """
    if "detail" in item:
        return item
    cuts = json.loads(item["plan"]["S"])
    detail: dict[str, Any] = {
        "grid": json.loads(item["grid"]["S"]),
        "options": json.loads(item["options"]["S"]),
        "atom_count": int(item["atom_count"]["N"]),
    }
    if "seed" in item:
        detail["seed"] = int(item["seed"]["N"])
    if "series" in item:
        detail["series"] = json.loads(item["series"]["S"])
    detail["plan"] = cuts
    changed = {
        "detail": {"S": json.dumps(detail, separators=(",", ":"), allow_nan=False)},
        "plan": {"S": sha_of(cuts)},
        "kind": item.get("kind", {"S": _FIRST_KIND}),
    }
    error = item.get("error", {}).get("M")
    if error is not None and error["code"]["S"] == PERMANENT_CODE:
        changed["error"] = {"M": {**error, "permanent": {"BOOL": True}}}
    return {**item, **changed}
