"""Sessions of browsers: opened by a key, and not that key.

A token's text is `gws_<key id>_<random>_<tag>`.  The tag is an HMAC of the random part under the
digest of the key that opened the session, so a made-up token is recognised without a read.  The
ledger holds the SHA-256 of the text: reading the ledger opens no session.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gridwell.access.keys import AccessKey

TOKEN_BYTES: Final = 32
LIFE_SECONDS: Final = 43_200.0  #: after this a person logs in again
IDLE_SECONDS: Final = 3_600.0  #: without a request for so long a session is over
TOUCH_SECONDS: Final = 300.0  #: between two writes of when a session was last used

_TEXT: Final = re.compile(r"gws_([0-9a-f]{12})_([A-Za-z0-9_-]{43})_([0-9a-f]{32})", re.ASCII)


class SessionState(enum.StrEnum):
    """State of a session: open, or the reason of its end."""

    ACTIVE = "active"
    ENDED = "ended"  #: by logging out, or by a later login
    EXPIRED = "expired"
    IDLE = "idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session as the ledger holds it.  Times in seconds since 1970."""

    digest: str  #: SHA-256 of the token's text, in hex
    key_id: str  #: of the key that opened it
    client: str
    opened: float
    used: float  #: when it was last used, `TOUCH_SECONDS` late at most
    ends: float  #: at the latest
    ended: float | None = None  #: when it was ended before that

    def state(self, now: float) -> SessionState:
        """Return whether it is open at a time."""
        if self.ended is not None:
            return SessionState.ENDED
        if now >= self.ends:
            return SessionState.EXPIRED
        if now - self.used >= IDLE_SECONDS:
            return SessionState.IDLE
        return SessionState.ACTIVE


@dataclass(frozen=True, slots=True)
class SessionToken:
    """A token as a browser presents it."""

    id: str  #: of the key that opened the session
    text: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> SessionToken | None:
        """Return the token that a text is, or None if it cannot be one."""
        found = _TEXT.fullmatch(text)
        return None if found is None else cls(found[1], text)

    @property
    def digest(self) -> str:
        """The key of its session in the ledger."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def fits(self, key: AccessKey) -> bool:
        """Return whether it was made by this key, in constant time."""
        random, tag = self.text.removeprefix(f"gws_{self.id}_").rsplit("_", 1)
        return hmac.compare_digest(tag, _tag(key, random)) and key.id == self.id


def open_session(key: AccessKey, *, now: float, random: bytes) -> tuple[SessionToken, Session]:
    """Return the token and the record of a new session.

    Args:
        key: opens it; the session ends with it at the latest.
        now: the time.
        random: fresh random bytes, `TOKEN_BYTES` of them.

    Raises:
        ValueError: if there are more or fewer bytes.
    """
    if len(random) != TOKEN_BYTES:
        raise ValueError(f"a token takes {TOKEN_BYTES} random bytes, not {len(random)}")
    letters = base64.urlsafe_b64encode(random).rstrip(b"=").decode()
    token = SessionToken(key.id, f"gws_{key.id}_{letters}_{_tag(key, letters)}")
    ends = now + LIFE_SECONDS
    session = Session(
        digest=token.digest,
        key_id=key.id,
        client=key.client,
        opened=now,
        used=now,
        ends=ends if key.expires is None else min(ends, key.expires),
    )
    return token, session


def _tag(key: AccessKey, random: str) -> str:
    text = f"gridwell session {key.id} {random}".encode()
    return hmac.new(bytes.fromhex(key.digest), text, hashlib.sha256).hexdigest()[:32]
