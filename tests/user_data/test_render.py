from __future__ import annotations

import base64
import re
import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.local_stack.machine.environment import read_environment_files
from user_data.render import MAX_BYTES, encoded, fill, worker_user_data

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = string.ascii_letters + string.digits + "_.,:/@=+#%-"
NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True)
SETTINGS = st.dictionaries(NAMES, st.text(PLAIN, max_size=40), max_size=8)


def told(script: str) -> list[str]:
    """The lines that the script would write for its settings."""
    found = re.search(r"<<'SETTINGS'\n(.*?)\nSETTINGS\n", script, re.DOTALL)
    assert found
    return [line for line in found[1].split("\n") if line]


@given(SETTINGS)
def test_every_setting_arrives_as_it_was_given_and_nothing_else(settings: dict[str, str]) -> None:
    script = worker_user_data(settings)

    assert told(script) == [f"{name}={settings[name]}" for name in sorted(settings)]


@given(settings=SETTINGS)
def test_a_unit_reads_the_values_that_were_rendered(
    settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file: Path = tmp_path_factory.getbasetemp() / "rendered.env"
    file.write_text("\n".join(told(worker_user_data(settings))))

    assert read_environment_files([(str(file), False)]) == settings


@given(SETTINGS)
def test_equal_settings_in_any_order_give_equal_user_data(settings: dict[str, str]) -> None:
    turned = dict(reversed(settings.items()))

    assert worker_user_data(turned) == worker_user_data(settings)


@given(NAMES, st.text(min_size=1).filter(lambda value: not set(value) <= set(PLAIN)))
def test_a_value_that_would_need_quotes_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{name}={value!r}")):
        worker_user_data({name: value})


@pytest.mark.parametrize("name", ["", "lower", "1ST", "A-B", "A B", "A\nB", "A\n"])
def test_a_name_that_no_shell_takes_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of an environment variable"):
        worker_user_data({name: "x"})


def test_user_data_that_ec2_would_refuse_is_refused_here() -> None:
    with pytest.raises(ValueError, match=str(MAX_BYTES)):
        worker_user_data({"LONG": "x" * MAX_BYTES})


def test_a_placeholder_without_a_value_and_a_value_without_a_placeholder_are_both_named() -> None:
    with pytest.raises(ValueError, match=r"\['wanted'\].*\['extra'\]"):
        fill("@{wanted}", {"extra": "1"})


def test_a_value_that_looks_like_a_placeholder_is_not_filled_in_again() -> None:
    assert fill("@{a} @{b}", {"a": "@{b}", "b": "2"}) == "@{b} 2"


@given(st.text())
def test_encoded_user_data_is_base64_of_its_bytes(text: str) -> None:
    assert base64.b64decode(encoded(text), validate=True).decode() == text


def test_the_workers_user_data_runs_at_every_boot() -> None:
    assert worker_user_data({}).startswith("#cloud-boothook\n#!/bin/sh\n")
