"""The page of settings is what the Settings classes say, and leaves out no variable."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings

ROOT = Path(__file__).parents[2]
PROGRAMS = ("ami", "app_tier", "autoscaler", "gridwell", "user_data", "web_tier")
#: Set by the project's own programs for each other, never by people.
INTERNAL = {
    "GRIDWELL_HOME",
    "GRIDWELL_INSTANCE_FOLDER",
    "GRIDWELL_LOCAL_PROGRAM",
    "GRIDWELL_LOCAL_STACK",
    "GRIDWELL_MACHINE_CONTROL",
    "GRIDWELL_RELEASE",
}


def loaded() -> Any:
    spec = importlib.util.spec_from_file_location(
        "settings_page", ROOT / "scripts" / "settings_page.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["settings_page"] = module
    spec.loader.exec_module(module)
    return module


settings_page = loaded()


def test_page_is_current() -> None:
    assert settings_page.PAGE.read_text() == settings_page.page(), "run: make settings"


@pytest.mark.parametrize("program", [settings for _, settings, _ in settings_page._PROGRAMS])
def test_every_setting_is_described(program: type[BaseSettings]) -> None:
    assert [name for name, field in program.model_fields.items() if not field.description] == []


def test_every_variable_of_the_programs_is_on_the_page() -> None:
    named = {
        name
        for program in PROGRAMS
        for file in (ROOT / program).rglob("*.*")
        if file.suffix in {".py", ".sh", ".in", ".service"}
        for name in re.findall(r"\bGRIDWELL_[A-Z_]+[A-Z]\b", file.read_text())
    }
    page = {
        f"GRIDWELL_{name}" for name in re.findall(r"^\| `([A-Z_]+)`", page_text(), re.MULTILINE)
    }

    assert named - page == INTERNAL


def page_text() -> str:
    return str(settings_page.PAGE.read_text())


def test_table_shows_default_bounds_and_local_value() -> None:
    class Small(BaseSettings):
        share: float = Field(0.5, ge=0, lt=1, description="of it")
        name: str = Field(min_length=3, description="its name")

    table = settings_page.table_of(Small, {"GRIDWELL_SHARE": "1"})

    assert table.splitlines()[2:] == [
        "| `SHARE` | `0.5` | at least 0, below 1 | `1` | of it |",
        "| `NAME` | required | | | its name |",
    ]
