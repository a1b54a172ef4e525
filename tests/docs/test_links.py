"""Links between the pages of the project lead somewhere, and each page stands in its sort."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SORTS = {"how-to", "reference", "explanation", "decisions"}
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
IN_CODE = re.compile(
    r"`((?:ami|app_tier|autoscaler|benchmarks|docs|gridwell|scripts|tests|user_data|web_tier|"
    r"workload_generator)/[\w./-]+)`"
)
PAGE_NAME = re.compile(r"\bdocs/[\w./-]+\.(?:md|ipynb|png|txt)\b")


def anchors(page: Path) -> set[str]:
    """Return the fragments that a page's headings can be linked by, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path, text: str) -> list[str]:
    broken = []
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (
            fragment and target.suffix == ".md" and fragment not in anchors(target)
        ):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    assert broken_links(page, page.read_text()) == []


def test_broken_link_is_found() -> None:
    page = ROOT / "README.md"

    assert broken_links(page, "[a](docs/none.md) [b](docs/decisions) [c](README.md#no-such)") == [
        "docs/none.md",
        "README.md#no-such",
    ]


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name != "CHANGELOG.md" and page.parent.name != "decisions"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_files_named_on_a_page_exist(page: Path) -> None:
    named = set(IN_CODE.findall(page.read_text()))

    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("folder", ["docs", "gridwell", "web_tier", "app_tier", "autoscaler"])
def test_pages_named_in_code_exist(folder: str) -> None:
    named = {
        name
        for file in (ROOT / folder).rglob("*.*")
        if file.suffix in {".py", ".md", ".html", ".sh", ".toml"}
        for name in PAGE_NAME.findall(file.read_text())
    }

    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_pages_stand_in_one_of_four_sorts() -> None:
    docs = ROOT / "docs"
    flat = {page.name for page in docs.glob("*.md")}
    folders = {page.relative_to(docs).parts[0] for page in docs.rglob("*.md")} - flat

    assert flat <= {"start.md"}
    assert folders <= SORTS
