"""Access keys: identity and permissions of a caller.

A key's text is `gw_<id>_<secret>`.  The ledger keeps the id and the SHA-256 of the text, so a
reader of the ledger learns no key. The secret is 32 random bytes, too many to try, so a fast hash
is as good as a slow one.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Final

from gridwell.engine.errors import InvalidAccess
from gridwell.engine.job import PUBLIC_CLIENT

ID_BYTES: Final = 6
SECRET_BYTES: Final = 32

_TEXT: Final = re.compile(r"gw_([0-9a-f]{12})_[A-Za-z0-9_-]{43}", re.ASCII)
_CLIENT: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_LIFETIME: Final = re.compile(r"([1-9][0-9]{0,5})([mhd])", re.ASCII)
_UNITS: Final = {"m": 60.0, "h": 3600.0, "d": 86_400.0}
_NOBODY: Final = hashlib.sha256(b"").hexdigest()


class Scope(enum.StrEnum):
    """Permission that a key gives to its client."""

    SUBMIT = "submit"  #: submit jobs, and cancel them
    READ = "read"  #: look at its own jobs, and at the fleet
    ADMIN = "admin"  #: everything, and what no other scope was given
    METRICS = "metrics"  #: read what the service counts of all clients together, as Prometheus does


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """A key as the ledger holds it: all but the secret.  Times in seconds since 1970."""

    id: str
    client: str  #: whose it is; a client may have several, to change from one to the next
    digest: str  #: SHA-256 of the key's text, in hex
    scopes: frozenset[Scope]
    created: float
    expires: float | None = None  #: None: never
    revoked: float | None = None  #: when it was; None: it was not

    def allows(self, scope: Scope) -> bool:
        """Return True if its client may do this."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def state(self, now: float) -> KeyState:
        """Return its state at a time."""
        if self.revoked is not None:
            return KeyState.REVOKED
        if self.expires is not None and self.expires <= now:
            return KeyState.EXPIRED
        return KeyState.ACTIVE


class KeyState(enum.StrEnum):
    """State of a key; a key that is not active never becomes so again."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as a caller shows it."""

    id: str
    text: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> PresentedKey | None:
        """Return the key that a text is, or None if it cannot be one."""
        found = _TEXT.fullmatch(text)
        return None if found is None else cls(found[1], text)

    def fits(self, key: AccessKey) -> bool:
        """Return whether it is this key, in constant time."""
        return is_key(self, key)


def make_key(
    client: str,
    scopes: frozenset[Scope],
    *,
    now: float,
    lifetime: float | None,
    key_id: bytes,
    secret: bytes,
) -> tuple[str, AccessKey]:
    """Return a new key.

    Args:
        client: whose it is.
        scopes: what it allows: at least one.
        now: the time.
        lifetime: seconds until it expires; None: it does not.
        key_id: fresh random bytes, `ID_BYTES` of them.
        secret: `SECRET_BYTES` of them.

    Returns:
        Its text, which is shown once and stored nowhere, and what the ledger keeps.

    Raises:
        InvalidAccess: if the client's name cannot be used, or nothing is allowed.
    """
    if _CLIENT.fullmatch(client) is None or client == PUBLIC_CLIENT:
        raise InvalidAccess(
            f"{client[:80]!r} cannot name a client; take up to 64 of a-z, 0-9, '.', '_' and '-', "
            f"the first a letter or a digit, and not {PUBLIC_CLIENT!r}, who is everybody"
        )
    if not scopes:
        raise InvalidAccess(f"a key must allow something; take some of {', '.join(Scope)}")
    if (len(key_id), len(secret)) != (ID_BYTES, SECRET_BYTES):
        raise ValueError(
            f"{len(key_id)} and {len(secret)} bytes are not {ID_BYTES}, {SECRET_BYTES}"
        )
    letters = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
    text = f"gw_{key_id.hex()}_{letters}"
    key = AccessKey(
        id=key_id.hex(),
        client=client,
        digest=_digest(text),
        scopes=scopes,
        created=now,
        expires=None if lifetime is None else now + lifetime,
    )
    return text, key


def is_key(presented: PresentedKey, stored: AccessKey | None) -> bool:
    """Return True if a caller shows the key that the ledger holds under that id.

    It takes the same time whether there is none, or another.
    """
    digest = _NOBODY if stored is None else stored.digest
    right = hmac.compare_digest(_digest(presented.text), digest)
    return right and stored is not None and stored.id == presented.id


def read_scopes(text: str) -> frozenset[Scope]:
    """Return the scopes in a list such as `submit,read`.

    Raises:
        InvalidAccess: if one is none.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in tuple(Scope)]
    if unknown:
        raise InvalidAccess(f"{unknown[0][:40]!r} is not a scope; there are {', '.join(Scope)}")
    return frozenset(map(Scope, words))


def read_lifetime(text: str) -> float | None:
    """Return the seconds in `30m`, `12h` or `90d`; None for `never`.

    Raises:
        InvalidAccess: if it is neither.
    """
    if text == "never":
        return None
    found = _LIFETIME.fullmatch(text)
    if found is None:
        raise InvalidAccess(
            f"{text[:40]!r} is not a lifetime; write such as 30m, 12h or 90d, or never"
        )
    return int(found[1]) * _UNITS[found[2]]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
