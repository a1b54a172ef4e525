"""The option by which commands name the folder of a local stack."""

from __future__ import annotations

from pathlib import Path

import click

state_option = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".gridwell"),
    envvar="GRIDWELL_STATE",
    show_default=True,
    help="Folder of the local region: images, instances, logs.",
)
