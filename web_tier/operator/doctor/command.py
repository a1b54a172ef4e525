"""`doctor`, for operators with access to the stack."""

from __future__ import annotations

import dataclasses
import os
import platform
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import click

import gridwell
from gridwell.program.commands import answered, echo, json_option, print_json
from gridwell.program.settings import read_settings
from web_tier.operator.doctor.findings import Finding, Level, line, masked
from web_tier.settings import Settings

if TYPE_CHECKING:
    from web_tier.operator.doctor.examine import Examination

_LIBRARIES = ("boto3", "flask", "gunicorn", "numpy")


@click.command()
@json_option
@click.option("--url", envvar="GRIDWELL_URL", help="Where the web tier answers.", show_envvar=True)
def doctor(*, as_json: bool, url: str | None) -> None:
    """Check all services once, and show the settings in force and the cost.

    It reads the same settings as the web tier, and changes nothing.

    Exit codes: 0 no failure, at most warnings. 1 a service does not answer as it must. 2 wrong
    usage or settings. 3 AWS cannot be reached at all.
    """
    settings = read_settings(Settings)
    in_force = masked(
        {f"GRIDWELL_{name.upper()}": str(value) for name, value in settings.model_dump().items()}
        | os.environ
    )
    versions = {
        "gridwell": gridwell.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES},
    }
    if not as_json:
        listed = ", ".join(f"{name} {number}" for name, number in versions.items())
        echo(f"versions  {listed}", "settings")
        for name, value in in_force.items():
            echo(f"  {name}={value}{'' if name in os.environ else '  (default)'}")
    findings: list[Finding] = []
    with answered():
        examination = chosen_examination(settings, url or f"http://{settings.host}:{settings.port}")
    for finding in examination.findings():
        findings.append(finding)
        if not as_json:
            echo(*line(finding, width=12).split("\n"))
            sys.stdout.flush()
    failed = any(finding.level is Level.FAILED for finding in findings)
    if as_json:
        shown = [dataclasses.asdict(finding) for finding in findings]
        print_json(
            {"ok": not failed, "versions": versions, "settings": in_force, "findings": shown}
        )
    raise SystemExit(1 if failed else 0)


def chosen_examination(settings: Settings, url: str) -> Examination:
    """Return the diagnosis on AWS and memcached; each call is tried twice at most."""
    # boto3 costs half a second, which `--help` and a wrong setting should not.
    from gridwell.adapters.aws.client import FEW_TRIES, client  # noqa: PLC0415
    from gridwell.adapters.aws.ec2 import Ec2Fleet  # noqa: PLC0415
    from gridwell.adapters.aws.s3 import S3Store  # noqa: PLC0415
    from gridwell.adapters.aws.sqs import SqsQueue  # noqa: PLC0415
    from gridwell.adapters.aws.sts import account  # noqa: PLC0415
    from gridwell.adapters.dynamodb.fleet_ledger import DynamoFleetLedger  # noqa: PLC0415
    from gridwell.adapters.memcached.cache import MemcachedCache  # noqa: PLC0415
    from gridwell.adapters.system_clock import SERVICE_CLOCK  # noqa: PLC0415
    from web_tier.operator.doctor.examine import Examination  # noqa: PLC0415

    def aws(service: str) -> Any:
        return client(service, tries=FEW_TRIES)

    sqs, sts = aws("sqs"), aws("sts")
    kinds = ("chunks", "results", "dead_chunks", "dead_results")
    return Examination(
        ledger=DynamoFleetLedger(aws("dynamodb"), settings.table, settings.fleet),
        store=S3Store(aws("s3"), settings.bucket),
        cache=MemcachedCache(settings.memcached),
        queues={kind: SqsQueue(sqs, settings.queue(kind)) for kind in kinds},
        ec2=Ec2Fleet(aws("ec2"), settings.fleet, settings.template),
        clock=SERVICE_CLOCK,
        skew=lambda: SERVICE_CLOCK.skew,
        fleet=settings.fleet,
        account=lambda: account(sts),
        url=url.rstrip("/"),
        dollars_per_hour=settings.dollars_per_hour,
    )
