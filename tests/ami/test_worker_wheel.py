"""The worker's wheel: all that a worker imports and nothing else, so that a release is its own."""

from __future__ import annotations

import email
import io
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ami.bundle import Bundle, make_bundle
from ami.imports import import_closure
from ami.worker_wheel import ENTRY, worker_files
from gridwell.engine.errors import ServiceError
from tests.local_stack.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES: list[str] = CONFIG["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
NUMBA = {"numba", "llvmlite"}  #: imported where they are installed, which no image needs


@dataclass(frozen=True)
class Checkout:
    """A copy of this checkout that a test may change."""

    folder: Path

    def files(self, *packages: str) -> Iterator[Path]:
        for package in packages:
            yield from sorted(path for path in (self.folder / package).rglob("*") if path.is_file())

    def append(self, file: Path, text: str = "\n# changed\n") -> None:
        with file.open("a") as source:
            source.write(text)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    return Checkout(folder)


@pytest.fixture(scope="module")
def names(bundle: Bundle) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(bundle.wheel)) as wheel:
        return [name for name in wheel.namelist() if ".dist-info/" not in name]


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """Every module that a worker imports, by a tool that reads imports in its own way."""
    graph = grimp.build_graph(
        *PACKAGES,
        include_external_packages=True,
        exclude_type_checking_imports=True,
        cache_dir=None,
    )
    found: set[str] = set()
    waiting = {name for name in graph.modules if name.split(".")[0] == ENTRY}
    while waiting:
        name = waiting.pop()
        found.add(name)
        if name.split(".")[0] in PACKAGES:
            parents = {name.rsplit(".", i)[0] for i in range(1, name.count(".") + 1)}
            waiting |= (graph.find_modules_directly_imported_by(name) | parents) - found
    return found


def modules(names: list[str]) -> set[str]:
    sources = (name.removesuffix(".py") for name in names if name.endswith(".py"))
    return {name.replace("/", ".").removesuffix(".__init__") for name in sources}


def requirements(bundle: Bundle) -> list[Requirement]:
    with zipfile.ZipFile(io.BytesIO(bundle.wheel)) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith("METADATA"))
        metadata = email.message_from_bytes(wheel.read(name))
    return [Requirement(text) for text in metadata.get_all("Requires-Dist") or ()]


def test_the_wheel_holds_the_modules_that_a_worker_imports_and_no_others(
    names: list[str], imported: set[str]
) -> None:
    own = {name for name in imported if name.split(".")[0] in PACKAGES}

    assert modules(names) == own


def test_the_wheel_holds_no_page_client_command_local_stack_or_other_program(
    names: list[str],
) -> None:
    assert {name.split("/")[0] for name in names} == {ENTRY, "gridwell"}
    rooms = {name.split("/")[1] for name in names if name.startswith("gridwell/")}
    assert not rooms & {"client", "cli", "deploy", "local_stack", "show", "terminal"}


def test_the_packages_that_a_worker_imports_are_those_that_its_wheel_pins(
    bundle: Bundle, imported: set[str]
) -> None:
    external = {name for name in imported if name.split(".")[0] not in PACKAGES}
    external -= sys.stdlib_module_names | NUMBA
    distributions = packages_distributions()
    needed = {canonicalize_name(one) for name in external for one in distributions[name]}
    pinned = requirements(bundle)

    assert {"boto3", "numpy"} <= needed
    assert needed <= {canonicalize_name(one.name) for one in pinned}
    assert all(str(one.specifier).startswith("==") for one in pinned)


@pytest.fixture(scope="module")
def installed(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel in a folder of its own, as an instance unpacks it."""
    folder = tmp_path_factory.mktemp("release")
    with zipfile.ZipFile(io.BytesIO(bundle.wheel)) as wheel:
        wheel.extractall(folder)
    return folder


def run_alone(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the wheel and the packages, but without this checkout."""
    # Without `site`, whose path files would add the checkout.
    path = f"{installed}:{sysconfig.get_path('purelib')}:{sysconfig.get_path('platlib')}"
    return subprocess.run(
        [sys.executable, "-S", "-P", *arguments],
        cwd=installed,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_alone_explains_itself_and_computes(installed: Path) -> None:
    explained = run_alone(installed, "-m", ENTRY, "--help")
    computed = run_alone(installed, "-m", ENTRY, "smoke")

    assert (explained.returncode, explained.stderr) == (0, "")
    assert "work" in explained.stdout
    assert computed.returncode == 0, computed.stderr
    assert "smoke test passed" in computed.stdout


def test_the_wheel_alone_runs_without_the_checkout(installed: Path) -> None:
    absent = run_alone(installed, "-c", f"import {ENTRY}.cli, web_tier")
    client = run_alone(installed, "-c", "import gridwell; gridwell.Client")

    assert "No module named 'web_tier'" in absent.stderr
    assert "No module named 'gridwell.client'" in client.stderr


@pytest.mark.parametrize(
    "elsewhere",
    [
        *("web_tier", "autoscaler", "workload_generator", "user_data"),
        *("gridwell/client", "gridwell/cli", "gridwell/local_stack", "gridwell/deploy"),
    ],
)
def test_a_change_of_what_no_worker_imports_keeps_release_and_build(
    checkout: Checkout, elsewhere: str
) -> None:
    before = make_bundle(checkout.folder)
    changed = list(checkout.files(elsewhere))
    for file in changed:
        checkout.append(file)
    (checkout.folder / elsewhere / "new_module.py").write_text("")
    after = make_bundle(checkout.folder)

    assert changed
    assert after == before
    assert after.build("ami-1") == before.build("ami-1")


def test_a_comment_in_a_style_sheet_keeps_release_and_build(checkout: Checkout) -> None:
    before = make_bundle(checkout.folder)
    sheets = [file for file in checkout.files("web_tier") if file.suffix == ".css"]
    for sheet in sheets:
        checkout.append(sheet, "/* changed */\n")

    assert sheets
    assert make_bundle(checkout.folder) == before


def test_a_change_of_the_projects_own_metadata_keeps_release_and_build(checkout: Checkout) -> None:
    before = make_bundle(checkout.folder)
    checkout.append(checkout.folder / "README.md")
    project = checkout.folder / "pyproject.toml"
    project.write_text(project.read_text().replace('"flask", ', '"flask", "blinker", '))

    assert make_bundle(checkout.folder) == before


def test_a_change_of_what_a_worker_imports_is_another_release(checkout: Checkout) -> None:
    # One module of each package: of the kernels, of the domain and so on.
    changed = {file.rsplit("/", 1)[0]: file for file in worker_files(checkout.folder)}
    bundles = [make_bundle(checkout.folder)]
    for file in changed.values():
        checkout.append(checkout.folder / file)
        bundles.append(make_bundle(checkout.folder))

    assert len(changed) > 5
    assert len({bundle.release for bundle in bundles}) == len(bundles)
    assert len({bundle.build("ami-1") for bundle in bundles}) == len(bundles)


def test_a_new_module_of_the_app_tier_and_data_beside_a_module_are_another_release(
    checkout: Checkout,
) -> None:
    releases = [make_bundle(checkout.folder).release]
    for name in (f"{ENTRY}/another.py", f"{ENTRY}/another/table.json", "gridwell/table.json"):
        (checkout.folder / name).parent.mkdir(exist_ok=True)
        (checkout.folder / name).write_text("")
        releases.append(make_bundle(checkout.folder).release)

    assert len(set(releases)) == len(releases)


def test_what_a_checkout_is_littered_with_is_in_no_release(checkout: Checkout) -> None:
    before = make_bundle(checkout.folder)
    cache = checkout.folder / ENTRY / "__pycache__"
    cache.mkdir()
    (cache / "cli.cpython-311.pyc").write_bytes(b"")
    (checkout.folder / ENTRY / ".cli.py.swp").write_bytes(b"")

    assert make_bundle(checkout.folder) == before


def closure_of(folder: Path, **sources: str) -> set[str]:
    """The modules that `main` imports, in a project of these sources (`a__b` is a.b)."""
    for name, source in {"main____init__": "", **sources}.items():
        file = folder / f"{name.replace('__', '/', 1)}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    found = import_closure(folder, "main")
    return {file.relative_to(folder).as_posix().removesuffix(".py") for file in found}


@pytest.mark.parametrize(
    "statement",
    [
        "import other.one",
        "import other.one as name, other",
        "from other import one",
        "from other.one import name",
        "def late():\n    from other import one",
        "try:\n    import other.one\nexcept ImportError:\n    pass",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import other.one",
        "if not TYPE_CHECKING:\n    import other.one",
        "from ..other import one",
    ],
)
def test_an_import_is_found_in_each_of_its_forms(tmp_path: Path, statement: str) -> None:
    found = closure_of(
        tmp_path, main__start=statement, other____init__="", other__one="", other__two=""
    )

    assert found == {"main/__init__", "main/start", "other/__init__", "other/one"}


def test_imports_are_followed_round_in_circles_and_into_packages(tmp_path: Path) -> None:
    found = closure_of(
        tmp_path,
        main__start="import other",
        other____init__="from . import one",
        other__one="from main import start\nfrom .two import *\nimport os, numpy",
        other__two="",
        other__three="",
    )

    assert found == {"main/__init__", "main/start"} | {
        f"other/{name}" for name in ("__init__", "one", "two")
    }


def test_imports_for_type_checkers_alone_are_not_followed(tmp_path: Path) -> None:
    found = closure_of(
        tmp_path,
        main__start="import typing\nif typing.TYPE_CHECKING:\n    import other.one",
        main__end="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import other.one",
        other____init__="",
        other__one="",
    )

    assert found == {"main/__init__", "main/start", "main/end"}


def test_a_module_that_cannot_be_parsed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"main/start\.py cannot be parsed"):
        closure_of(tmp_path, main__start="def")
