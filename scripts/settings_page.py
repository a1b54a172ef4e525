"""Write docs/reference/settings.md from the programs' Settings classes (`make settings`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args, get_origin

from pydantic_core import PydanticUndefined

import ami.settings
import app_tier.settings
import autoscaler.settings
import web_tier.settings
from gridwell.client.bearer_key import ALLOW_HTTP_VARIABLE
from gridwell.client.client import KEY_VARIABLE, URL_VARIABLE
from gridwell.local_stack.up import TIER_SETTINGS, WORKER_SETTINGS
from gridwell.program.logs import FORMAT
from gridwell.program.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "reference" / "settings.md"
_TEXT: Final = """\
# Settings

`make settings` writes this page from the Settings classes of the programs.

Every program reads environment variables with the prefix `GRIDWELL_`. It reports all faulty ones
together and then ends with status 2. `gridwell local up` and the user data of instances set what
the programs of a stack need; `gridwell local up --set GRIDWELL_TICK_SECONDS=10` sets others.

Names in the tables are without the prefix. *Local* is the value that `gridwell local up` sets.
Names that end in `SECONDS` are in seconds.
"""
_PROGRAMS: Final = (
    ("Web tier and collector", web_tier.settings.Settings, TIER_SETTINGS),
    ("Worker", app_tier.settings.Settings, WORKER_SETTINGS),
    ("Autoscaler", autoscaler.settings.Settings, TIER_SETTINGS),
    ("Bake of an image", ami.settings.Settings, {}),
)
#: Variables that no Settings class reads: name, default, description.
_OTHERS: Final = (
    (URL_VARIABLE, "`http://127.0.0.1:8080`", "client, commands, load generator: the service"),
    (KEY_VARIABLE, "unset", "client, commands, load generator: the access key to send"),
    (ALLOW_HTTP_VARIABLE, "unset", "client, commands: `1` sends the key over `http://` too"),
    (FORMAT, "`text` on a terminal, else `json`", "all programs: the form of log lines"),
    ("GRIDWELL_STATE", "`.gridwell`", "`gridwell local`: the folder of the local region"),
)
_COMPUTED: Final = {"worker_id": "the host's name", "cores": "all of the machine"}
_LIMITS: Final = (("gt", "above"), ("ge", "at least"), ("lt", "below"), ("le", "at most"))


def default_of(name: str, field: FieldInfo) -> str:
    """Return the default as a table shows it."""
    if field.default_factory is not None:
        return _COMPUTED[name]
    if field.default is PydanticUndefined:
        return "required"
    value = field.default
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    if value is None or value == "":
        return "unset"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def limits_of(field: FieldInfo) -> str:
    """Return the bounds of a number, or the values that are allowed."""
    if get_origin(field.annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(field.annotation))
    return ", ".join(
        f"{word} {getattr(bound, name):g}"
        for name, word in _LIMITS
        for bound in field.metadata
        if hasattr(bound, name)
    )


def table_of(settings: type[BaseSettings], local: Mapping[str, str]) -> str:
    """Return the table of one program.

    Args:
        settings: its Settings class, each field with a description.
        local: what a local stack sets.
    """
    rows = ["| variable | default | allowed | local | meaning |", "|---|---|---|---|---|"]
    for name, field in settings.model_fields.items():
        set_locally = local.get(f"{PREFIX}{name.upper()}", "")
        cells = (
            f"`{name.upper()}`",
            default_of(name, field),
            limits_of(field),
            f"`{set_locally}`" if set_locally else "",
            field.description,
        )
        rows.append("|" + "".join(f" {cell} |" if cell else " |" for cell in cells))
    return "\n".join(rows)


def page() -> str:
    """Return the whole page."""
    parts = [_TEXT]
    parts += [
        f"## {title}\n\n{table_of(settings, local)}\n" for title, settings, local in _PROGRAMS
    ]
    others = "\n".join(
        f"| `{name.removeprefix(PREFIX)}` | {default} | {meaning} |"
        for name, default, meaning in _OTHERS
    )
    parts.append(f"## Others\n\n| variable | default | meaning |\n|---|---|---|\n{others}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
