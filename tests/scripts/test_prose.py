"""The rules for prose find what breaks them, and a folder's budget only falls."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


def loaded(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


prose = loaded("prose")
commits = loaded("commits")
LONG = " ".join(["word"] * 31)


@pytest.mark.parametrize(
    "opening", ["What", "Whether", "How", "Why", "Who", "Which", "Where", "See"]
)
def test_docstring_that_begins_with_a_relative_word_is_found(opening: str) -> None:
    assert prose.odd_openings(f"{opening} a worker does.\n\nMore.") == [f"{opening} a worker does."]


@pytest.mark.parametrize("text", ["Return the whole.", "However late.", "A seed.", "Seed of it."])
def test_docstring_that_begins_with_a_verb_or_noun_passes(text: str) -> None:
    assert prose.odd_openings(text) == []


@pytest.mark.parametrize("word", ["whoever", "Nobody", "is told", "anew", "of no use", "of use"])
def test_listed_word_is_found(word: str) -> None:
    assert len(prose.odd_words(f"Then {word} does it.")) == 1


def test_listed_word_inside_code_passes() -> None:
    text = "The field `told` and ``nobody``.\n\n```\nwhoever\n```\n"

    assert prose.odd_words(prose.prose_of(text, is_page=True)) == []


@pytest.mark.parametrize(
    "text",
    [LONG, f"Short. {LONG.capitalize()}. Short.", f"* {LONG}", f"| a | {LONG} |", f"A:\n{LONG}"],
)
def test_sentence_of_more_than_thirty_words_is_found(text: str) -> None:
    (found,) = prose.long_sentences(prose.prose_of(text, is_page=True))

    assert found.startswith("31 words")


@pytest.mark.parametrize(
    "text",
    [
        "Some words here and there. " * 20,
        "* some words of an item\n" * 20,
        "| a cell of words | and another |\n" * 20,
        "Args:\n" + "    name: some words of it\n" * 20,
        f"```\n{LONG}\n```",
        f"`{LONG}` is code",
        f"[link]({'path/' * 40})",
    ],
)
def test_many_short_sentences_pass(text: str) -> None:
    assert prose.long_sentences(prose.prose_of(text, is_page=True)) == []


def test_class_defined_twice_is_found_unless_allowed() -> None:
    classes = [("A", "x.py:1"), ("A", "y.py:1"), ("B", "x.py:2"), ("C", "x.py:3"), ("C", "z.py:1")]

    assert prose.repeated_classes(classes, {"C": "a reason"}) == {"A": ["x.py:1", "y.py:1"]}


def test_every_docstring_of_a_module_is_read() -> None:
    source = (
        '"""Module."""\nclass A:\n  """Class."""\n  def f(self):\n    """Method."""\n'
        'async def g():\n  """Coroutine."""\ndef h():\n  pass\n'
    )

    texts = [text for _, text in prose.docstrings(prose.ast.parse(source))]

    assert sorted(texts) == ["Class.", "Coroutine.", "Method.", "Module."]


def test_checkout_is_read_with_its_pages_and_programs(tmp_path: Path) -> None:
    (tmp_path / "gridwell" / "kinds").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("Nobody knows.")
    (tmp_path / "docs" / "start.md").write_text("It starts anew.")
    (tmp_path / "gridwell" / "kinds" / "a.py").write_text('"""What is."""\nclass K: ...\n')
    (tmp_path / "gridwell" / "b.py").write_text('"""A module."""\nclass K: ...\n')

    found = {(finding.folder, finding.rule) for finding in prose.findings(tmp_path, {})}

    assert found == {
        ("README.md", "word"),
        ("docs", "word"),
        ("gridwell/kinds", "opening"),
        ("product", "class"),
    }


def test_folder_above_its_budget_fails_and_one_below_is_named() -> None:
    above, below = prose.compare(Counter(a=3, b=1, new=1), {"a": 2, "b": 2, "gone": 1})

    assert [line.split(":")[0] for line in above] == ["a", "new"]
    assert [line.split(":")[0] for line in below] == ["b", "gone"]


def test_lowered_budget_never_rises() -> None:
    text = '[classes]\nJob = "a reason"\n[budget]\n"a" = 2\n"b" = 2\n"c" = 1\n'

    lowered = prose.lowered(text, Counter(a=5, b=1), {"a": 2, "b": 2, "c": 1})

    assert lowered == '[classes]\nJob = "a reason"\n[budget]\n"a" = 2\n"b" = 1\n'


def test_allowed_class_names_are_still_defined_twice() -> None:
    allowed = prose.tomllib.loads(prose.BUDGET.read_text())["classes"]

    repeated = {
        finding.text.partition(":")[0]
        for finding in prose.findings(prose.ROOT, {})
        if finding.rule == "class"
    }

    assert set(allowed) <= repeated
    assert all(allowed.values())


def test_long_commit_subject_is_found() -> None:
    log = f"{'a' * 40}\n{'x' * 72}\n\nbody\n\0{'b' * 40}\n{'y' * 73}\n\0"

    (fault,) = commits.faults(log)

    assert fault.startswith("b" * 12 + ": 73 characters")


def test_commit_body_right_below_the_subject_is_found() -> None:
    (fault,) = commits.faults(f"{'c' * 40}\nsubject\nbody\n")

    assert "empty line" in fault
