"""Gridwell finds the point of a 3-D grid where the summed effect of many atoms is least."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gridwell.client import Client

__all__ = ["Client", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Return `Client`, imported at its first use.

    By name, not by a statement: every worker imports this package, and the release that it runs
    holds neither the client nor an HTTP library.
    """
    if name == "Client":
        return import_module("gridwell.client").Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
