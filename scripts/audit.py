"""Looks the installed packages up among known vulnerabilities, and fails where it cannot.

An audit that looked nothing up says nothing.  Where no advisory database can be reached, it passes
only under the waiver beside this file, which says why and ends by itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

WAIVER = Path(__file__).with_name("audit-waiver.toml")
SERVICES = ("pypi", "osv")  #: the advisory databases that pip-audit knows, in this order
MOST_SKIPPED = 3  #: packages that no database need know: a release may be a few minutes old
LONGEST_WAIVER = timedelta(days=92)
OURS = "gridwell"  #: is in no registry


@dataclass(frozen=True)
class Report:
    """Report of an advisory database on the installed packages."""

    packages: list[dict[str, Any]]

    @property
    def skipped(self) -> list[str]:
        """Packages that were not looked up, and why."""
        return [
            f"{package['name']}: {package['skip_reason']}"
            for package in self.packages
            if "skip_reason" in package and package["name"] != OURS
        ]

    @property
    def found(self) -> list[str]:
        """Known vulnerabilities, a line each."""
        return [
            f"{package['name']} {package['version']}: {one['id']}, fixed in "
            f"{', '.join(one['fix_versions']) or 'no version yet'}"
            for package in self.packages
            for one in package.get("vulns") or ()
        ]

    @property
    def is_complete(self) -> bool:
        """True if all but a few packages were looked up."""
        return len(self.packages) > len(self.skipped) <= MOST_SKIPPED


def ask(service: str) -> Report | None:
    """Return what a database says of the packages of this environment; None: it says nothing."""
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"),
            *("--vulnerability-service", service, "--timeout", "15"),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    try:
        return Report(json.loads(run.stdout)["dependencies"])
    except (ValueError, KeyError):
        last = run.stderr.strip().rpartition("\n")[2]
        print(f"the database {service} gave no report: {last[:300]}", file=sys.stderr)
        return None


def main(
    ask: Callable[[str], Report | None] = ask,
    *,
    waiver: Path = WAIVER,
    today: date | None = None,
) -> int:
    """Print what was found and what was not looked up; 1 if there is either, and no waiver.

    Args:
        ask: gives the report of an advisory database.
        waiver: a file that may not exist.
        today: the date.
    """
    for service in SERVICES:
        report = ask(service)
        if report is None:
            continue
        for line in report.found:
            print(line)
        print(
            f"{service}: {len(report.packages)} packages, {len(report.found)} known "
            f"vulnerabilities, {len(report.skipped)} packages not looked up"
        )
        # What was found counts, however little was looked up.
        if report.found or report.is_complete:
            for line in report.skipped:
                print(f"not looked up: {line}")
            return 1 if report.found else 0
    return waived(waiver, today or datetime.now(UTC).date())


def waived(path: Path, today: date) -> int:
    """Return 0 if a waiver lets an audit pass that looked nothing up, else 1; prints why."""
    try:
        fields = tomllib.loads(path.read_text())
        until, reason = fields["until"], str(fields["reason"]).strip()
    except (OSError, ValueError, KeyError) as error:
        print(f"nothing was looked up, and there is no waiver: {error!r}", file=sys.stderr)
        return 1
    fault = ""
    if type(until) is not date or not reason:
        fault = "it needs until, a date, and reason"
    elif today > until:
        fault = f"it ended on {until}"
    elif until - today > LONGEST_WAIVER:
        fault = f"it ends on {until}, later than {LONGEST_WAIVER.days} days from now"
    if fault:
        print(
            f"nothing was looked up, and {path.name} does not hold: {fault}; run the audit where "
            "an advisory database can be reached, or renew the waiver with its reason",
            file=sys.stderr,
        )
        return 1
    print(f"NOT AUDITED: nothing was looked up; waived until {until}: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
