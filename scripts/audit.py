"""Looks the installed packages up among known vulnerabilities; says what could not be looked up."""

from __future__ import annotations

import json
import subprocess
import sys


def main() -> int:
    """Print a summary and each finding; 1 if there is one."""
    run = subprocess.run(
        [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"],
        check=False,
        capture_output=True,
        text=True,
    )
    try:
        packages = json.loads(run.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(f"pip-audit gave no report:\n{run.stderr}", file=sys.stderr)
        return run.returncode or 1
    unknown = [package for package in packages if "skip_reason" in package]
    found = [package for package in packages if package.get("vulns")]
    for package in found:
        for vulnerability in package["vulns"]:
            fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
            name = f"{package['name']} {package['version']}"
            print(f"{name}: {vulnerability['id']}, fixed in {fixed}")
    print(
        f"audited {len(packages) - len(unknown)} packages, {len(found)} of them vulnerable; "
        f"{len(unknown)} could not be looked up"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
