"""Rendering of user data.  Pure but for reading the template beside it."""

from __future__ import annotations

import base64
import importlib.resources
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES: Final = 16_384  #: EC2's limit, before base64

#: Characters that need no quoting in an environment file or a shell's here-document.
_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_VALUE = re.compile(r"[A-Za-z0-9_.,:/@=+#%-]*")


#: Distinct from the shell's variables.
_PLACEHOLDER = re.compile(r"@\{([a-z_]+)\}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return a template with its placeholders filled in.

    Args:
        text: with placeholders like ``@{name}``.
        values: one for each placeholder, and no other.

    Raises:
        ValueError: if a placeholder has no value, or a value no placeholder.
    """
    named = set(_PLACEHOLDER.findall(text))
    if named != values.keys():
        raise ValueError(
            f"placeholders without a value: {sorted(named - values.keys())}; "
            f"values without a placeholder: {sorted(values.keys() - named)}"
        )
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def worker_user_data(settings: Mapping[str, str]) -> str:
    """Return the boothook of an app instance.

    Args:
        settings: environment variables for the units, written at every boot.

    Raises:
        ValueError: if a name or value would need quoting, or it all gets too long for EC2.
    """
    for name, value in settings.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of an environment variable")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"{name}={value!r} has characters other than {_VALUE.pattern}")
    lines = "\n".join(f"{name}={settings[name]}" for name in sorted(settings))
    text = fill(read("app_tier.sh.in"), {"settings": lines})
    if (size := len(text.encode())) > MAX_BYTES:
        raise ValueError(f"user data of {size} bytes is more than EC2's {MAX_BYTES}")
    return text


def encoded(text: str) -> str:
    """Return user data as a launch template takes it."""
    return base64.b64encode(text.encode()).decode()


def read(name: str) -> str:
    """Return the text of a template of this package."""
    return importlib.resources.files("user_data").joinpath(name).read_text("utf-8")
