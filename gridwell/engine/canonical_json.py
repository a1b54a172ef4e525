"""Canonical JSON: one text for one value, so that a hash of it is an identity."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """`value` as JSON with sorted keys, no spaces, floats by repr, and -0.0 as 0.0.

    Raises:
        ValueError: if a number is not finite.
    """
    return json.dumps(
        _without_negative_zero(value), sort_keys=True, separators=(",", ":"), allow_nan=False
    )


def sha_of(value: Any) -> str:
    """The sha256 of the canonical JSON of `value`, in hex."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _without_negative_zero(value: Any) -> Any:
    if isinstance(value, float):
        return value + 0.0
    if isinstance(value, dict):
        return {key: _without_negative_zero(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_negative_zero(item) for item in value]
    return value
