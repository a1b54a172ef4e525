"""`gridwell local up --set NAME=VALUE`."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from gridwell.local_stack.cli import local
from gridwell.local_stack.up import WORKER_SETTINGS, _worker_settings

STACK = {
    f"GRIDWELL_{name}": name.lower()
    for name in ("FLEET", "CHUNKS_QUEUE", "RESULTS_QUEUE", "LEDGER_TABLE", "BUCKET")
}
BAKED = {"release": "f" * 64}


@pytest.mark.parametrize("word", ["GRIDWELL_TICK_SECONDS", "TICK_SECONDS=1", "PATH=/tmp"])
def test_what_is_no_setting_of_ours_is_wrong_usage(word: str) -> None:
    done = CliRunner().invoke(local, ["up", "--set", word])

    assert done.exit_code == 2
    assert f"'{word}' is not GRIDWELL_NAME=VALUE" in done.output


def test_a_given_setting_reaches_the_workers_if_it_is_one_of_theirs() -> None:
    given = {"GRIDWELL_IDLE_POLLS": "7", "GRIDWELL_TICK_SECONDS": "9"}

    told = _worker_settings(STACK, given, BAKED)

    assert told["GRIDWELL_IDLE_POLLS"] == "7"
    assert "GRIDWELL_TICK_SECONDS" not in told
    assert told.keys() == {*STACK, *WORKER_SETTINGS, "GRIDWELL_RELEASE"}
