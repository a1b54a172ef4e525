"""The audit fails where it finds something, and where it looked nothing up without a waiver."""

from __future__ import annotations

import importlib.util
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "audit.py"
TODAY = date(2026, 11, 30)


def loaded() -> Any:
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit"] = module
    spec.loader.exec_module(module)
    return module


audit = loaded()


def package(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "version": "1.0", **fields}


def skipped(count: int) -> list[dict[str, Any]]:
    return [package(f"p{k}", skip_reason="not found on PyPI") for k in range(count)]


GOOD = [package(f"g{k}", vulns=[]) for k in range(100)]
BAD = package("bad", vulns=[{"id": "PYSEC-1", "fix_versions": ["1.1"]}])


def waiver(folder: Path, text: str) -> Path:
    path = folder / "audit-waiver.toml"
    path.write_text(text)
    return path


def run(
    folder: Path, *reports: list[dict[str, Any]] | None, text: str = "", today: date = TODAY
) -> int:
    """The status of an audit whose databases give these reports, one after the other."""
    given = iter(reports)

    def ask(_: str) -> Any:
        report = next(given)
        return None if report is None else audit.Report(report)

    path = waiver(folder, text) if text else folder / "none.toml"
    status: int = audit.main(ask, waiver=path, today=today)
    return status


HOLDS = 'until = 2026-12-31\nreason = "no network here"'


def test_an_audit_of_all_packages_passes(tmp_path: Path) -> None:
    assert run(tmp_path, GOOD) == 0


def test_a_vulnerability_fails_and_no_waiver_helps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, [*GOOD, BAD], text=HOLDS) == 1
    assert run(tmp_path, [*skipped(100), BAD], text=HOLDS) == 1
    assert "bad 1.0: PYSEC-1, fixed in 1.1" in capsys.readouterr().out


def test_a_few_unknown_packages_and_ours_are_named_and_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = package("gridwell", skip_reason="distribution marked as editable")

    assert run(tmp_path, [*GOOD, ours, *skipped(3)]) == 0
    told = capsys.readouterr().out
    assert told.count("not looked up: p") == 3
    assert "gridwell" not in told


@pytest.mark.parametrize(
    "reports",
    [
        (None, None),
        (skipped(145), None),
        (skipped(145), skipped(145)),
        ([*GOOD, *skipped(4)], [*GOOD, *skipped(4)]),
        ([], []),
    ],
)
def test_an_audit_that_looked_too_little_up_fails(
    tmp_path: Path, reports: tuple[list[dict[str, Any]] | None, ...]
) -> None:
    assert run(tmp_path, *reports) == 1


def test_another_database_is_asked_where_the_first_knows_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, None, GOOD) == 0
    assert run(tmp_path, skipped(145), GOOD) == 0
    assert run(tmp_path, skipped(145), [*GOOD, BAD]) == 1


def test_a_waiver_lets_an_audit_without_a_database_pass_until_its_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, None, skipped(145), text=HOLDS) == 0
    assert "NOT AUDITED" in capsys.readouterr().out
    assert run(tmp_path, None, None, text=HOLDS, today=date(2026, 12, 31)) == 0
    assert run(tmp_path, None, None, text=HOLDS, today=date(2027, 1, 1)) == 1
    assert "it ended on 2026-12-31" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        'until = 2027-03-31\nreason = "for ever and a day"',
        "until = 2026-12-31",
        'until = 2026-12-31\nreason = " "',
        'until = "2026-12-31"\nreason = "a text is no date"',
        "until = 2026-12-31T00:00:00Z\nreason = 'a time is no date'",
        'reason = "no date"',
        "not toml",
    ],
)
def test_a_waiver_that_says_too_little_or_holds_too_long_does_not_hold(
    tmp_path: Path, text: str
) -> None:
    assert run(tmp_path, None, None, text=text) == 1


def test_the_waiver_of_this_repository_ends() -> None:
    fields = audit.tomllib.loads(audit.WAIVER.read_text())

    assert type(fields["until"]) is date
    assert fields["reason"].strip()
    assert fields["until"] - date.today() <= timedelta(days=92)  # noqa: DTZ011 - as it is written


def test_an_environment_without_a_network_gives_no_complete_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    report = audit.ask("osv")

    assert report is None or not report.is_complete
