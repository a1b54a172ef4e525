"""`python -m ami`: bake the image that instances boot from."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import click

from ami.bake import Bakery
from ami.bundle import make_bundle
from ami.settings import Settings
from gridwell.adapters.aws.client import client, translated
from gridwell.adapters.aws.s3 import S3Store
from gridwell.adapters.system_clock import SystemClock
from gridwell.engine.errors import ServiceError
from gridwell.program.commands import echo
from gridwell.program.settings import read_settings

_PROJECT = Path(__file__).resolve().parents[1]
_DEBIAN = "/aws/service/debian/release/12/latest/amd64"


@click.group()
def main() -> None:
    """Images of Gridwell's workers."""


@main.command()
@click.option("--base-image", help="The image that the builder boots from (GRIDWELL_BASE_IMAGE).")
@click.option("--dry-run", is_flag=True, help="Print what would be baked; launch nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def bake(*, base_image: str | None, dry_run: bool, as_json: bool) -> None:
    """Bake the image of this checkout, or find it if it exists."""
    settings = read_settings(Settings)
    # At SIGTERM, as at an error, a bake terminates its builder.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        outcome = _bake(settings, base_image, dry_run=dry_run)
    except ServiceError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        echo(json.dumps(outcome))
    else:
        for name, value in outcome.items():
            echo(f"{name}: {value}")


@main.command()
def sbom() -> None:
    """Print the bill of materials of this checkout's release, as CycloneDX JSON."""
    try:
        echo(*make_bundle(_PROJECT).sbom.decode().splitlines())
    except ServiceError as error:
        raise click.ClickException(str(error)) from error


def _bake(settings: Settings, base_image: str | None, *, dry_run: bool) -> dict[str, object]:
    s3 = client("s3")
    bakery = Bakery(
        ec2=client("ec2"),
        s3=s3,
        store=S3Store(s3, settings.bucket),
        bucket=settings.bucket,
        fleet=settings.fleet,
        base_image=base_image or settings.base_image or _newest_debian(),
        instance_type=settings.builder_type,
        clock=SystemClock(),
        say=lambda sentence: echo(sentence, err=True),
    )
    bundle = make_bundle(_PROJECT)
    if dry_run:
        build = bundle.build(bakery.base_image)
        return {"image": bakery.find(build), "build": build, "release": bundle.release}
    return asdict(bakery.bake(bundle))


def _newest_debian() -> str:
    with translated(f"the parameter {_DEBIAN}"):
        return str(client("ssm").get_parameter(Name=_DEBIAN)["Parameter"]["Value"])
