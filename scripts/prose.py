"""Check the prose of docstrings and pages, and class names, against CONTRIBUTING's rules.

`prose.toml` beside this file holds how many findings each folder still has, which may only fall.
`make check` runs it; `scripts/prose.py FOLDER...` lists the findings of some folders, and
`scripts/prose.py --lower` writes the counts of today where they are lower.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT: Final = Path(__file__).resolve().parents[1]
BUDGET: Final = Path(__file__).with_name("prose.toml")
PRODUCT: Final = (
    *("ami", "app_tier", "autoscaler", "gridwell", "user_data", "web_tier", "workload_generator"),
)
CODE: Final = (*PRODUCT, "scripts")
MOST_WORDS: Final = 30  #: in a sentence

_OPENINGS: Final = re.compile(r"(What|Whether|How|Why|Who|Which|Where|See)\b")
_WORDS: Final = re.compile(
    r"\b(whoever|somebody|nobody|told|tells|said|believed|anew|to be had|of (?:no )?use)\b",
    re.IGNORECASE,
)
_FENCE: Final = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
_CODE_LINE: Final = re.compile(r"^(    |\t).*$", re.MULTILINE)
_INLINE: Final = re.compile(r"``.+?``|`[^`]+`|https?://\S+", re.DOTALL)
_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_ITEM: Final = re.compile(r"\n(?=\s*(?:[*+-]|x |\d+[. ]|#+|\||\w+:))|\n\s*\n|(?<=:)\n|\|")
_SENTENCE: Final = re.compile(r"(?<=[.!?])[\"')*\]]*\s+(?=[\"'(\[*]*[A-Z0-9])")
#: A letter of a formula and a number are no words.
_WORD: Final = re.compile(r"(?<![\w^])(?:[^\W\d_]{2}[\w'.,/+-]*|[aAI]\b)")


@dataclass(frozen=True)
class Finding:
    """One place that breaks a rule."""

    folder: str  #: whose budget it counts against, such as ``gridwell/kinds``
    rule: str
    place: str  #: path and line
    text: str


def folder_of(path: Path) -> str:
    """Return the folder whose budget a file counts against: two levels, or one of a program."""
    parts = path.parts[:-1][:2]
    return "/".join(parts) if parts else str(path)


def docstrings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each docstring of a module."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and (text := ast.get_docstring(node)) is not None:
            yield node.body[0].lineno, text


def prose_of(text: str, *, is_page: bool) -> str:
    """Return a text without code, links' targets and, of a page, indented blocks."""
    text = _FENCE.sub("", text)
    if is_page:
        text = _CODE_LINE.sub("", text)
    return _LINK.sub(r"\1", _INLINE.sub("X", text))


def odd_openings(text: str) -> list[str]:
    """Return a docstring's first line if it begins with a relative word."""
    return [text.partition("\n")[0]] if _OPENINGS.match(text) else []


def odd_words(prose: str) -> list[str]:
    """Return the words of the list that a text uses, each with its neighbours."""
    return [
        " ".join(prose[max(0, found.start() - 40) : found.end() + 20].split())
        for found in _WORDS.finditer(prose)
    ]


def long_sentences(prose: str) -> list[str]:
    """Return the sentences of more than `MOST_WORDS` words.

    An item of a list, a cell of a table and an argument's description are sentences of their own.
    """
    return [
        f"{count} words: {' '.join(sentence.split())}"
        for item in _ITEM.split(prose)
        for sentence in _SENTENCE.split(item)
        if (count := len(_WORD.findall(sentence))) > MOST_WORDS
    ]


def repeated_classes(
    classes: Iterable[tuple[str, str]], allowed: Mapping[str, str]
) -> dict[str, list[str]]:
    """Return the places of each class name that is defined twice and not allowed to be.

    Args:
        classes: name and place of each class.
        allowed: the reason for each name that may be defined twice.
    """
    places: dict[str, list[str]] = {}
    for name, place in classes:
        places.setdefault(name, []).append(place)
    return {name: at for name, at in places.items() if len(at) > 1 and name not in allowed}


def findings_of_text(path: Path, line: int, text: str, *, is_page: bool) -> Iterator[Finding]:
    """Yield what breaks a rule in one docstring or page."""
    prose = prose_of(text, is_page=is_page)
    rules = {
        "opening": [] if is_page else odd_openings(text),
        "word": odd_words(prose),
        "sentence": long_sentences(prose),
    }
    for rule, texts in rules.items():
        for found in texts:
            yield Finding(folder_of(path), rule, f"{path}:{line}", found)


def findings(root: Path, allowed: Mapping[str, str]) -> Iterator[Finding]:
    """Yield everything in a checkout that breaks a rule."""
    classes = []
    for top in CODE:
        for file in sorted((root / top).rglob("*.py")):
            path, tree = file.relative_to(root), ast.parse(file.read_text())
            for line, text in docstrings(tree):
                yield from findings_of_text(path, line, text, is_page=False)
            classes += [
                (node.name, f"{path}:{node.lineno}")
                for node in tree.body
                if isinstance(node, ast.ClassDef) and top in PRODUCT
            ]
    for file in sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md")]):
        yield from findings_of_text(file.relative_to(root), 1, file.read_text(), is_page=True)
    for name, places in sorted(repeated_classes(classes, allowed).items()):
        yield Finding("product", "class", places[0], f"{name}: also {', '.join(places[1:])}")


def compare(found: Counter[str], budget: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Return one line for each folder above its budget, and one for each below."""
    folders = sorted({*found, *budget})
    above = [
        f"{folder}: {found[folder]} findings, {budget.get(folder, 0)} allowed; "
        f"list them: python scripts/prose.py {folder}"
        for folder in folders
        if found[folder] > budget.get(folder, 0)
    ]
    below = [
        f"{folder}: {found[folder]} findings, {budget[folder]} allowed; "
        "lower the number: python scripts/prose.py --lower"
        for folder in folders
        if found[folder] < budget.get(folder, 0)
    ]
    return above, below


def lowered(text: str, found: Counter[str], budget: Mapping[str, int]) -> str:
    """Return the budget's file with each count as low as it can be, without folders at 0."""
    head, _, _ = text.partition("[budget]\n")
    counts = {folder: min(count, found[folder]) for folder, count in sorted(budget.items())}
    lines = [f'"{folder}" = {count}\n' for folder, count in counts.items() if count]
    return head + "[budget]\n" + "".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the folders above and below their budget; 1 if one is above."""
    parser = argparse.ArgumentParser(description="Check prose and class names.")
    parser.add_argument("folders", nargs="*", help="list the findings below these paths")
    parser.add_argument("--lower", action="store_true", help="write lower counts into the budget")
    options = parser.parse_args(arguments)
    text = BUDGET.read_text()
    settings = tomllib.loads(text)
    everything = list(findings(ROOT, settings["classes"]))
    if options.folders:
        for finding in everything:
            if f"{finding.folder} {finding.place}".startswith(tuple(options.folders)):
                print(f"{finding.place}: {finding.rule}: {finding.text}")
        return 0
    found = Counter(finding.folder for finding in everything)
    if options.lower:
        BUDGET.write_text(lowered(text, found, settings["budget"]))
        return 0
    above, below = compare(found, settings["budget"])
    print("\n".join([*above, *below, f"prose: {found.total()} findings"]))
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
