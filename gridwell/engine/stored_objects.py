"""Calls about one object of the store, whose refusal is that object's alone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from gridwell.engine.errors import ObjectDenied, ServiceDenied

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def calls_about(key: str) -> Iterator[None]:
    """Name the object in a refusal of the calls within.

    Raises:
        ObjectDenied: if the store refuses the object.
    """
    try:
        yield
    except ObjectDenied:
        raise
    except ServiceDenied as error:
        raise ObjectDenied(key, error) from error
