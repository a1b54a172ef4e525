"""A group of commands whose code is imported when one of them is used."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from gridwell.engine.errors import GridwellError
from gridwell.program.commands import echo

if TYPE_CHECKING:
    from collections.abc import Iterable

_INTERRUPTED: Final = 130
#: Libraries that not every installation has, and what brings them.
_EXTRAS: Final = dict.fromkeys(("requests", "rich", "urllib3"), "client") | dict.fromkeys(
    ("apiflask", "flask", "gunicorn", "limits", "prometheus_client", "pymemcache"), "web"
)


@dataclass(frozen=True, slots=True)
class LazyPart:
    """A command of a group."""

    name: str
    place: str  #: where it lies, as `module:attribute`
    help: str  #: one line: the group's own help must not import them all


class LazyGroup(click.Group):
    """Commands by name; and each of our errors becomes its words and exit status.

    Args:
        parts: the commands, in the order in which people meet them.
        **attributes: of `click.Group`.
    """

    def __init__(self, *, parts: Iterable[LazyPart], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._parts = {part.name: part for part in parts}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names."""
        return [*self._parts, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in self._parts:
            return super().get_command(ctx, cmd_name)
        module, attribute = self._parts[cmd_name].place.split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(part.name, part.help) for part in self._parts.values()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run what was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            echo("interrupted", err=True)
            return ctx.exit(_INTERRUPTED)
        except ModuleNotFoundError as error:
            if error.name not in _EXTRAS:
                raise
            raise click.ClickException(
                f"this command needs {error.name}; install it by "
                f"`pip install 'gridwell[{_EXTRAS[error.name]}]'`"
            ) from error
        except GridwellError as error:
            # Imported here: `gridwell --help` needs no HTTP client.
            from gridwell.terminal.exit_status import tell  # noqa: PLC0415

            return ctx.exit(tell(error))
