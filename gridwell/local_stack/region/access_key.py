"""The access key that each call of a local region must name.

The region checks no signature: its access key id is the secret, drawn at each start.  Calls name
it as AWS's do, in the scope of their credential, or as a bearer token where they are no AWS's.
"""

from __future__ import annotations

import hmac
import re
import secrets
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from gridwell.access.loopback_request import FORBIDDEN, LoopbackRefusal

if TYPE_CHECKING:
    from collections.abc import Iterator

_BYTES: Final = 24
#: Signature version 4 (HMAC and ECDSA), version 2, and a plain token.
_HEADER: Final = re.compile(
    r"AWS4-[A-Z0-9-]+\s.*?\bCredential=(?P<v4>[^/,\s]+)/|AWS\s+(?P<v2>[^:\s]+):|"
    r"Bearer\s+(?P<bearer>\S+)\s*$"
)
_QUERY: Final = re.compile(r"(?:^|&)(?:X-Amz-Credential|AWSAccessKeyId)=([^&]+)")
NAMELESS: Final = LoopbackRefusal(
    FORBIDDEN,
    "access denied: a local region serves only calls with its access key, and this one has none:"
    ' run `eval "$(gridwell local env)"` first',
)
UNKNOWN: Final = LoopbackRefusal(
    FORBIDDEN,
    "access denied: the access key is not this local region's, which has a new one at each start:"
    ' run `eval "$(gridwell local env)"` again',
)


def draw_access_key() -> str:
    """Return a fresh access key id; 192 random bits, in characters that need no escape."""
    return f"LOCAL{secrets.token_hex(_BYTES)}"


def key_refusal(access_key: str, *, authorization: str, query: str) -> LoopbackRefusal | None:
    """Refuse a call that does not name the access key.

    Args:
        access_key: the region's.
        authorization: the call's header, or nothing.
        query: the call's query string, in which presigned addresses name their key.

    Returns:
        The refusal; None for a call with the key.
    """
    given = list(_given(authorization, query))
    if not given:
        return NAMELESS
    wanted = access_key.encode()
    # All are compared: the time shows neither the key nor its place.
    matches = [hmac.compare_digest(one.encode(errors="replace"), wanted) for one in given]
    return None if any(matches) else UNKNOWN


def _given(authorization: str, query: str) -> Iterator[str]:
    found = _HEADER.match(authorization)
    if found is not None:
        yield found["v4"] or found["v2"] or found["bearer"]
    for scope in _QUERY.findall(query):
        yield unquote(scope).partition("/")[0]
