"""Gridwell finds the point of a 3-D grid where the summed effect of many atoms is least."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gridwell.client import Client

__all__ = ["Client", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`Client`, imported when it is first asked for.

    Every worker imports this package, and its image has no HTTP client library.
    """
    if name == "Client":
        # Imported here: see above.
        from gridwell.client import Client  # noqa: PLC0415

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
