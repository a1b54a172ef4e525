from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from gridwell.engine.errors import ServiceError
from gridwell.local_stack.cli import local
from gridwell.local_stack.private_folder import make_private, real_path, write_private
from gridwell.local_stack.state import Running, StateFolder

if TYPE_CHECKING:
    from pathlib import Path

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
RUNNING = Running(url="u", endpoint="e", memcached="m", max_instances=1, environment={"A": "1"})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_is_its_owners_alone(tmp_path: Path) -> None:
    make_private(tmp_path / "a/b")

    assert mode(tmp_path / "a/b") == 0o700


@pytest.mark.parametrize("lax", [0o755, 0o711, 0o777, 0o770, 0o500])
def test_an_empty_folder_is_made_private(tmp_path: Path, lax: int) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(lax)

    make_private(folder)

    assert mode(folder) == 0o700


def test_a_folder_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)
    (folder / "images").mkdir()

    make_private(folder)

    assert mode(folder) == 0o700


@pytest.mark.parametrize("lax", [0o777, 0o775, 0o757])
def test_a_folder_that_others_could_fill_is_refused(tmp_path: Path, lax: int) -> None:
    folder = tmp_path / "state"
    (folder / "images").mkdir(parents=True)
    folder.chmod(lax)

    with pytest.raises(ServiceError, match=r"others could write .*chmod go-rwx"):
        make_private(folder)


@needs_root
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    os.chown(folder, 65534, 65534)

    with pytest.raises(ServiceError, match="belongs to user 65534"):
        make_private(folder)
    assert mode(folder) != 0o700


def test_a_link_is_refused_and_what_it_leads_to_is_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (tmp_path / "state").symlink_to(elsewhere)

    with pytest.raises(ServiceError, match="by its real path"):
        make_private(tmp_path / "state")
    assert mode(elsewhere) == 0o755


@needs_root
def test_a_link_that_another_user_made_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o755)
    link = tmp_path / "state"
    link.symlink_to(tmp_path / "mine")
    os.chown(link, 65534, 65534, follow_symlinks=False)

    for command in (["up", "--detach"], ["env"], ["down"], ["faults"]):
        done = CliRunner().invoke(local, [*command, f"--state={link}"])

        assert done.exit_code == 1
        assert "is a link of user 65534" in done.output
    assert mode(tmp_path / "mine") == 0o755


def test_a_link_of_ones_own_is_followed(tmp_path: Path) -> None:
    (tmp_path / "large-disk").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "large-disk")

    assert real_path(tmp_path / "state") == (tmp_path / "large-disk").resolve()
    assert real_path(tmp_path / "new") == tmp_path.resolve() / "new"


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")

    with pytest.raises(ServiceError, match="cannot be used"):
        make_private(tmp_path / "state")


def test_a_private_file_is_its_owners_alone_and_replaces_a_lax_one(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    (tmp_path / "f.new").write_text("left by a writer that was killed")

    write_private(tmp_path / "f", "new")

    assert mode(tmp_path / "f") == 0o600
    assert (tmp_path / "f").read_text() == "new"


def test_a_held_folder_and_what_it_announces_are_private(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")

    with folder.held():
        folder.announce(RUNNING)

        assert mode(folder.path) == 0o700
        assert mode(folder.path / "running.json") == 0o600
        assert folder.running() == RUNNING


def test_what_others_may_have_written_is_not_evaluated(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    with folder.held():
        folder.announce(RUNNING)
        folder.path.chmod(0o777)

        for command in ("env", "down", "faults"):
            done = CliRunner().invoke(local, [command, f"--state={folder.path}"])

            assert done.exit_code == 1
            assert "others may write" in done.output
            assert "export" not in done.output


@needs_root
@pytest.mark.parametrize("name", ["running.json", "lock", ""])
def test_what_belongs_to_another_user_is_not_evaluated(tmp_path: Path, name: str) -> None:
    folder = StateFolder(tmp_path / "state")
    with folder.held():
        folder.announce(RUNNING)
        os.chown(folder.path / name, 65534, 65534)

        # `down` reads the lock alone, and would end us.
        commands = ["env", "faults"] if name == "running.json" else ["env", "faults", "down"]
        for command in commands:
            done = CliRunner().invoke(local, [command, f"--state={folder.path}"])

            assert done.exit_code == 1
            assert "belongs to user 65534" in done.output
        os.chown(folder.path / name, 0, 0)
