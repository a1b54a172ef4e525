"""The notebooks of docs/examples: their code runs, and shows what is stored in them.

Each cell is run here as a notebook would, against the web application behind a real socket;
`make notebook` executes them in Jupyter against a whole local stack.
"""

from __future__ import annotations

import ast
import io
import json
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gridwell.engine.job import JobState
from tests.harness.served_app import Served, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "examples").glob("*.ipynb"))
STORED_URL = "http://127.0.0.1:8080"
SHOWN = {"text/html": "_repr_html_", "image/svg+xml": "_repr_svg_"}


def compute(served: Served) -> None:
    """What workers would do: each job is done by the time that it is asked for."""
    ledger = served.site.world.ledger
    for job in ledger.unfinished():
        served.finish(job)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with serving() as running:
        running.before = compute
        monkeypatch.setenv("GRIDWELL_URL", running.url)
        monkeypatch.delenv("GRIDWELL_KEY", raising=False)
        yield running


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def code_cells(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]


def run(source: str, names: dict[str, Any]) -> dict[str, str]:
    """What a cell writes, and what its last line is shown as, by kind."""
    *lines, last = ast.parse(source).body
    printed = io.StringIO()
    value = None
    with redirect_stdout(printed):
        exec(compile(ast.Module(lines, []), "cell", "exec"), names)  # noqa: S102 - our own cells
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # noqa: S307
        else:
            exec(compile(ast.Module([last], []), "cell", "exec"), names)  # noqa: S102
    shown = {"stdout": printed.getvalue()} if printed.getvalue() else {}
    if value is not None:
        shown["text/plain"] = repr(value)
        shown |= {
            kind: getattr(value, name)() for kind, name in SHOWN.items() if hasattr(value, name)
        }
    return shown


def stored(cell: dict[str, Any]) -> dict[str, str]:
    """What is stored of a cell's outputs, by kind."""
    shown: dict[str, str] = {}
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            shown[output["name"]] = "".join(output["text"])
        else:
            shown |= {kind: "".join(lines) for kind, lines in output["data"].items()}
    return shown


def test_there_is_a_notebook() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_each_cell_shows_what_is_stored_of_it(served: Served, path: Path) -> None:
    names: dict[str, Any] = {}

    for cell in code_cells(path):
        shown = run("".join(cell["source"]), names)
        told = {kind: text.replace(served.url, STORED_URL) for kind, text in shown.items()}
        assert told == stored(cell), f"{path.name} is of another day: make notebook"

    states = {job.state for job in served.site.world.ledger._jobs.values()}
    assert states == {JobState.DONE}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_stored_notebook_was_executed_in_order_and_knows_no_machine(path: Path) -> None:
    text = path.read_text()
    cells = code_cells(path)

    assert (read(path)["nbformat"], read(path)["nbformat_minor"]) == (4, 5)
    assert [cell["execution_count"] for cell in cells] == [*range(1, len(cells) + 1)]
    assert "error" not in {each["output_type"] for cell in cells for each in cell["outputs"]}
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", text)) == {"8080"}
    assert not re.search(r"/(home|root|tmp|work|usr|var|opt|Users)/", text)
