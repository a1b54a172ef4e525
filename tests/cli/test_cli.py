"""The command `gridwell`: what goes to stdout, and each exit status."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import click
import numpy as np
import pytest
from click.testing import CliRunner

import gridwell
from gridwell.cli import main
from gridwell.engine.job import CHUNK_FAILED, JobError
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.formats import fit
from gridwell.kinds.grid.job_view import grid_view
from gridwell.terminal import ExitStatus
from tests.harness.served_app import Served, serving
from tests.harness.waiting import DEADLINE
from tests.harness.web_http import SMALL, Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

    from gridwell.engine.job import Job

SUBMIT = ("submit", "--grid-size", "4", "--atom-count", "5", "--seed", "1")
MISSING = "0123456789abcdef" * 2


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


def run(served: Served, *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"GRIDWELL_URL": served.url})


def program(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m gridwell` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "gridwell", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
        env=os.environ | environment,
    )


def submitted(served: Served) -> str:
    shown = served.site.post(SMALL).json
    assert shown is not None
    return str(shown["id"])


def fail(served: Served, job_id: str) -> None:
    job = served.site.world.ledger.read(job_id)
    assert job is not None
    served.site.world.finisher().fail(job, JobError(CHUNK_FAILED, "it broke"))


def test_submit_prints_the_id_of_the_job_and_nothing_else(served: Served) -> None:
    done = run(served, *SUBMIT)

    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{submitted(served)}\n", "")


def test_submit_can_wait_for_the_answer(served: Served) -> None:
    served.done()

    done = run(served, *SUBMIT, "--wait")

    assert done.exit_code == 0
    assert done.stdout.startswith("minimum   ")
    assert "100 %" in done.stderr


def test_jobs_are_cancelled_and_one_that_cannot_be_holds_up_no_other(served: Served) -> None:
    done = served.done({"grid_size": 3, "atom_count": 5}).id
    job = submitted(served)

    ended = run(served, "cancel", done, MISSING, job)

    assert ended.exit_code == ExitStatus.FAILED
    assert "is done already" in ended.stderr
    assert f"there is no job '{MISSING}'" in ended.stderr
    assert ended.stdout.startswith(f"{job}  ")
    assert "cancelled" in ended.stdout

    again = run(served, "cancel", job, "--json")
    assert (again.exit_code, json.loads(again.stdout)["state"]) == (0, "cancelled")


def test_json_is_the_services_own(served: Served) -> None:
    job = served.done()

    for arguments in ([*SUBMIT, "--json"], ["result", job.id, "--json"], ["jobs", "--json"]):
        done = run(served, *arguments)
        assert done.exit_code == 0
        assert json.loads(done.stdout) == served.site.client.get(f"/v1/jobs/{job.id}").json


def test_any_grid_and_own_atoms_can_be_submitted(served: Served, tmp_path: Path) -> None:
    rows = [[0.1, 0.2, 0.3, -0.5], [1.5, 1.0, 2.0, 0.1 + 0.2]]
    np.save(tmp_path / "atoms.npy", np.array(rows))
    (tmp_path / "atoms.json").write_text(json.dumps({"atoms": rows}))
    lines = ["x,y,z,energy", *(",".join(map(repr, row)) for row in rows)]
    (tmp_path / "atoms.csv").write_text("\n".join(lines))
    grid = ["--shape", "2", "3", "4", "--spacing", "0.5", "1", "1"]

    ids = {
        run(served, "submit", *grid, "--atoms", str(tmp_path / name)).stdout
        for name in ("atoms.npy", "atoms.json", "atoms.csv")
    }

    assert len(ids) == 1
    job = served.site.world.ledger.read(ids.pop().strip())
    assert job is not None
    view = grid_view(job)
    assert (view.grid.shape, view.grid.spacing, view.atom_count) == ((2, 3, 4), (0.5, 1, 1), 2)


PQR = """\
REMARK   1 two atoms
ATOM      1  N   ALA A   1       0.100   0.200   0.300 -0.5000 1.8240
ATOM      2  CA  ALA A   1       1.500   1.000   2.000  0.2500 1.9080
"""


def test_a_grid_can_be_fitted_around_the_atoms_of_a_file(served: Served, tmp_path: Path) -> None:
    (tmp_path / "two.pqr").write_text(PQR)
    fitted = ["--atoms", str(tmp_path / "two.pqr"), "--fit-spacing", "0.5", "--fit-margin", "2"]

    done = run(served, "submit", *fitted)

    assert done.exit_code == 0
    assert done.stderr == "two.pqr: PQR, 2 atoms of charge -0.25, 1 other line\n"
    job = served.site.world.ledger.read(done.stdout.strip())
    assert job is not None
    assert grid_view(job).grid == fit(job_atoms(served, job), spacing=0.5, margin=2.0)


def job_atoms(served: Served, job: Job) -> Atoms:
    shown = served.site.client.get(f"/v1/jobs/{job.id}/atoms").json
    assert shown is not None
    return Atoms.from_rows(shown["atoms"])


def test_what_a_file_of_atoms_holds_beside_them_is_told(served: Served, tmp_path: Path) -> None:
    model = f"MODEL 1\n{PQR}ENDMDL\n"
    (tmp_path / "two.pqr").write_text(model + model)

    done = run(served, "submit", "--grid-size", "4", "--atoms", str(tmp_path / "two.pqr"))

    assert done.exit_code == 0
    assert "note: the file holds several models: the first was read" in done.stderr


def test_every_faulty_line_of_a_file_of_atoms_is_told(served: Served, tmp_path: Path) -> None:
    (tmp_path / "two.pqr").write_text(PQR.replace("0.100", "O.100").replace("0.2500", "   nan"))

    done = run(served, "submit", "--grid-size", "4", "--atoms", str(tmp_path / "two.pqr"))

    assert done.exit_code == ExitStatus.USAGE
    assert "two.pqr: line 2: x is 'O.100', which is not a decimal number" in done.stderr
    assert "two.pqr: line 3: charge is 'nan', which is not a finite float64" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--atoms", "FILE"], "--atoms needs a grid: --fit-spacing 0.5"),
        (["--grid-size", "4", "--fit-spacing", "1"], "--fit-spacing needs --atoms"),
        (["--grid-size", "4", "--atoms", "FILE", "--fit-spacing", "1"], "no other grid"),
        (["--shape", "2", "2", "2", "--atoms", "FILE", "--fit-spacing", "1"], "no other grid"),
        (["--grid-size", "4", "--atoms", "FILE", "--fit-margin", "1"], "--fit-margin belongs to"),
        (["--atoms", "FILE", "--fit-spacing", "1e-9"], "would do, or a smaller margin"),
    ],
)
def test_a_grid_that_cannot_be_fitted_is_wrong_usage(
    served: Served, tmp_path: Path, options: list[str], words: str
) -> None:
    (tmp_path / "two.pqr").write_text(PQR)

    done = run(
        served, "submit", *(str(tmp_path / "two.pqr") if o == "FILE" else o for o in options)
    )

    assert done.exit_code == ExitStatus.USAGE
    assert words in done.stderr
    assert not served.requests


@pytest.mark.parametrize("name", ["atoms.npy", "atoms.json", "atoms.csv", "atoms.txt"])
def test_a_file_that_holds_no_atoms_is_wrong_usage(
    served: Served, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("{,")

    done = run(served, "submit", "--grid-size", "4", "--atoms", str(tmp_path / name))

    assert done.exit_code == ExitStatus.USAGE
    assert name in done.stderr
    assert not served.requests


def test_a_grid_without_points_is_wrong_usage(served: Served) -> None:
    done = run(served, "submit", "--origin", "0", "0", "0", "--atom-count", "1")

    assert done.exit_code == ExitStatus.USAGE
    assert "need --shape" in done.stderr


def test_a_request_that_the_service_refuses_is_wrong_usage(served: Served) -> None:
    done = run(served, "submit", "--grid-size", "0", "--atom-count", "0")

    assert (done.exit_code, done.stdout) == (ExitStatus.USAGE, "")
    assert "error: /grid_size: " in done.stderr
    assert "error: /atom_count: " in done.stderr


@pytest.mark.parametrize(
    ("options", "first"),
    [
        (["--place", "3", "--ion-energy", "-1", "--min-separation", "1"], "ion   1   "),
        (["--place", "3"], "ion   1   "),
        (["--top", "3", "--min-separation", "1"], "point 1   "),
    ],
)
def test_each_point_of_a_series_is_a_line_of_the_answer(
    served: Served, options: list[str], first: str
) -> None:
    job_id = run(served, *SUBMIT, *options).stdout.strip()
    served.finish(job_id)

    lines = run(served, "result", job_id).stdout.splitlines()

    assert lines[-3].startswith(first)
    assert lines[-1].split()[1] == "3"


def test_a_series_that_ended_early_says_so(served: Served) -> None:
    job_id = run(served, *SUBMIT, "--top", "50", "--min-separation", "3").stdout.strip()
    served.finish(job_id)

    words = run(served, "result", job_id).stdout.splitlines()[-1]

    assert words.endswith("of the 50 that were wanted: no other point qualifies")


def test_the_charge_of_ions_without_ions_is_a_usage_error(served: Served) -> None:
    done = run(served, *SUBMIT, "--ion-energy", "1")

    assert (done.exit_code, done.stdout) == (ExitStatus.USAGE, "")
    assert "--ion-energy belongs to --place" in done.stderr


def test_a_job_can_be_read_before_and_after_its_end(served: Served) -> None:
    job_id = submitted(served)
    before = run(served, "result", job_id)
    served.finish(job_id)
    after = run(served, "result", job_id, "--wait")
    watched = run(served, "watch", job_id)

    assert before.exit_code == after.exit_code == watched.exit_code == 0
    assert "queued" in before.stdout
    assert after.stdout == watched.stdout
    assert after.stdout.startswith("minimum   ")


def test_a_kept_map_is_stored_in_the_format_that_its_file_is_named_for(
    served: Served, tmp_path: Path
) -> None:
    asked = run(served, *SUBMIT, "--keep-grid")
    job_id = asked.stdout.strip()
    early = run(served, "result", job_id, "--grid", str(tmp_path / "map.npz"))
    served.finish(job_id)

    for form in ("dx", "cube", "npz"):
        done = run(served, "result", job_id, "--grid", str(tmp_path / f"map.{form}"))
        assert done.exit_code == 0
        assert done.stdout.startswith("minimum   ")
    wrong = run(served, "result", job_id, "--grid", str(tmp_path / "map.vtk"))
    nowhere = run(served, "result", job_id, "--grid", str(tmp_path / "no" / "map.dx"))

    assert early.exit_code == ExitStatus.FAILED
    assert "only a done job has its whole map" in early.stderr
    assert wrong.exit_code == ExitStatus.USAGE
    assert "does not end in .dx, .cube, .npz" in wrong.stderr
    assert (nowhere.exit_code, "No such file or directory" in nowhere.stderr) == (1, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.cube", "map.dx", "map.npz"]


def test_the_points_of_a_job_are_stored_in_the_format_that_their_file_is_named_for(
    served: Served, tmp_path: Path
) -> None:
    job_id = run(served, *SUBMIT, "--place", "3").stdout.strip()
    served.finish(job_id)

    for name, path in (("points.csv", "ions.csv"), ("ions.pdb", "ions.pdb")):
        done = run(served, "result", job_id, "--points", str(tmp_path / path))
        assert (done.exit_code, done.stderr) == (0, "")
        data = served.site.client.get(f"/v1/jobs/{job_id}/{name}").data
        assert (tmp_path / path).read_bytes() == data
    wrong = run(served, "result", job_id, "--points", str(tmp_path / "ions.xyz"))
    none = run(served, "result", served.done().id, "--points", str(tmp_path / "none.pdb"))

    assert (wrong.exit_code, none.exit_code) == (ExitStatus.USAGE, ExitStatus.FAILED)
    assert "does not end in .csv, .pdb" in wrong.stderr
    assert "placed no ions" in none.stderr


def test_a_shell_completes_commands_and_their_options() -> None:
    def completed(words: str) -> list[str]:
        asked = {"_GRIDWELL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "2"}
        done = program(**asked)
        return [line.split(",")[1] for line in done.stdout.splitlines()]

    assert {"up", "down", "env", "faults"} <= set(completed("gridwell local "))
    assert "--min-separation" in completed("gridwell submit --min-s")


@pytest.mark.parametrize("command", [["result"], ["result", "--wait"], ["watch"]])
def test_a_failed_job_ends_with_one(served: Served, command: list[str]) -> None:
    job_id = submitted(served)
    fail(served, job_id)

    done = run(served, *command, job_id, "--json")

    assert done.exit_code == ExitStatus.FAILED
    assert json.loads(done.stdout)["state"] == "failed"
    assert "it broke" in done.stderr


def test_a_job_that_nobody_knows_is_wrong_usage(served: Served) -> None:
    done = run(served, "result", MISSING)

    assert (done.exit_code, done.stdout) == (ExitStatus.USAGE, "")
    assert MISSING in done.stderr


@pytest.mark.parametrize("command", [["result", "--wait"], ["watch"]])
def test_a_job_that_does_not_end_in_time_ends_with_four(command: list[str]) -> None:
    with serving(Site(capacity=0)) as served:
        done = run(served, *command, submitted(served), "--timeout", "0.05")

    assert done.exit_code == ExitStatus.TIMEOUT
    assert "is queued after 0.05 s" in done.stderr


def test_jobs_are_listed_up_to_the_limit(served: Served) -> None:
    for seed in range(3):
        served.site.post(SMALL | {"seed": seed})

    done = run(served, "jobs", "--limit", "2")

    assert done.exit_code == 0
    assert [line.split()[2] for line in done.stdout.splitlines()] == ["queued", "queued"]


def test_nobody_at_the_url_ends_with_three() -> None:
    with serving() as served:
        pass

    done = run(served, "jobs")

    assert done.exit_code == ExitStatus.UNREACHABLE
    assert served.url in done.stderr


def test_a_url_that_is_none_is_wrong_usage(served: Served) -> None:
    done = run(served, "jobs", "--url", "localhost:8080")

    assert done.exit_code == ExitStatus.USAGE
    assert "give http://host:port" in done.stderr


def test_ctrl_c_ends_with_130() -> None:
    # No room to wait, so the command asks again and again.
    with serving(Site(capacity=0)) as served:
        job_id = submitted(served)
        asked = threading.Event()

        def note(running: Served) -> None:
            if len(running.requests) > 1:
                asked.set()

        served.before = note
        process = subprocess.Popen(
            [sys.executable, "-m", "gridwell", "result", job_id, "--wait", "--url", served.url],
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            assert asked.wait(DEADLINE)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=DEADLINE)

    told, interrupted = err.splitlines()
    assert (process.returncode, interrupted) == (ExitStatus.INTERRUPTED, "interrupted")
    assert told.startswith(f"job {job_id} goes on: `gridwell watch {job_id}` follows it")


def test_help_names_each_command_and_exit_status_and_imports_none_of_them() -> None:
    code = (
        "import sys; from gridwell.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print(sorted({'requests', 'rich', 'boto3', 'gridwell.local_stack'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE,
    )

    listed = done.stdout.split("Commands:")[1].split()
    words = "submit result watch cancel jobs load local keys audit pause resume cap dead-letters"
    for word in words.split():
        assert word in listed
    assert "130  interrupted" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


#: Of `gridwell`: those that change something with an operator's own rights in the account.
RECORDED = {"keys create", "keys revoke", "pause", "resume", "cap", "dead-letters redrive"}
#: Those that change nothing, are a client's by HTTP, or act on this machine's own stack.
UNRECORDED = {
    *("submit", "result", "watch", "cancel", "jobs", "load", "audit", "doctor"),
    *("keys list", "dead-letters list"),
}


def test_every_command_of_operators_is_recorded_or_changes_nothing() -> None:
    context = click.Context(main)
    found = set()
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        if name == "local":
            continue
        parts = command.list_commands(context) if isinstance(command, click.Group) else [""]
        found |= {f"{name} {part}".strip() for part in parts}

    assert found == UNRECORDED | RECORDED


@pytest.mark.parametrize(
    "command", ["submit", "result", "watch", "cancel", "jobs", "local", "local up", "local down"]
)
def test_every_command_can_be_found(command: str) -> None:
    done = CliRunner().invoke(main, [*command.split(), "--help"])

    assert done.exit_code == 0
    assert done.stdout.startswith("Usage: main")


def commands(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """All commands that do something, by name."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for part in command.list_commands(context):
            inner = command.get_command(context, part)
            assert inner is not None
            yield from commands(inner, f"{name} {part}".strip())
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield name, command


COMMANDS = dict(commands(main))


def test_the_walk_over_the_commands_finds_them() -> None:
    some = {"submit", "load", "local up", "local faults", "local faults plan", "keys create", "cap"}
    assert some < set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_prints_json_on_request_and_says_what_it_does(name: str) -> None:
    options = [option for option in COMMANDS[name].params if "--json" in option.opts]
    helped = CliRunner().invoke(main, [*name.split(), "--help"], prog_name="gridwell")

    assert len(options) == 1
    assert (helped.exit_code, helped.stderr) == (0, "")
    assert helped.stdout.startswith(f"Usage: gridwell {name} [OPTIONS]")
    assert "Print" in helped.stdout.rsplit("--json", 1)[1]


@pytest.mark.parametrize("arguments", [["--wait"], ["--wait", "--json"]])
def test_a_bar_moves_on_a_terminal_alone_and_stdout_has_the_answer(
    served: Served, arguments: list[str]
) -> None:
    served.done()

    done = run(served, *SUBMIT, *arguments)

    assert "\x1b" not in done.stderr
    assert "100 %" in done.stderr
    if "--json" in arguments:
        assert json.loads(done.stdout)["state"] == "done"
        assert len(done.stdout.splitlines()) == 1


def test_without_colour_a_terminals_bar_has_none(served: Served) -> None:
    served.done()
    command = [sys.executable, "-m", "gridwell", *SUBMIT, "--wait", "--url", served.url]
    colours = {}
    for variables in ({}, {"NO_COLOR": "1"}):
        inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        environment = {**inherited, "TERM": "xterm-256color", **variables}
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=theirs, env=environment, text=True
        ) as process:
            out, _ = process.communicate(timeout=DEADLINE)
        os.close(theirs)
        shown = os.read(ours, 1 << 16).decode()
        os.close(ours)
        assert (process.returncode, out.startswith("minimum   ")) == (0, True)
        assert "64 / 64 points" in shown
        colours[bool(variables)] = re.findall(r"\x1b\[[0-9;]*3[0-9]", shown)

    assert colours[False]
    assert not colours[True]


def test_a_reader_that_goes_away_ends_a_command_without_a_word(served: Served) -> None:
    for seed in range(20):
        served.site.post(SMALL | {"seed": seed})
    code = (
        "import os, sys; from gridwell.cli import main\n"
        "reader, writer = os.pipe(); os.close(reader); os.dup2(writer, 1)\n"
        "main(['jobs', '--json', '--url', sys.argv[1]])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, served.url],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=DEADLINE,
    )

    assert (done.returncode, done.stderr) == (ExitStatus.FAILED, "")


@pytest.mark.parametrize("job", ["", "../fleet", "0123", "Z" * 32])
def test_what_is_no_id_of_a_job_is_wrong_usage_and_not_asked_for(served: Served, job: str) -> None:
    done = run(served, "result", job)

    assert (done.exit_code, done.stdout) == (ExitStatus.USAGE, "")
    assert f"{job!r} is not the id of a job, which is 32 hex digits" in done.stderr
    assert not served.requests


def test_an_address_below_the_services_own_is_told(served: Served) -> None:
    done = run(served, "jobs", "--url", f"{served.url}/v1")

    assert done.exit_code == ExitStatus.UNREACHABLE
    assert "/v1/v1/jobs?limit=20 is no address of the interface; check the URL" in done.stderr


def test_the_version_is_the_packages() -> None:
    assert program("--version").stdout == f"{gridwell.__version__}\n"


def test_load_is_the_workload_generator_with_its_arguments_and_status() -> None:
    helped = program("load", "--help")
    refused = program("load", "--no-such-option", "1")

    assert helped.returncode == 0
    assert "--concurrency" in helped.stdout
    assert refused.returncode == ExitStatus.USAGE
    assert "--no-such-option" in refused.stderr


@pytest.mark.parametrize("command", ["pause", "resume", "cap"])
def test_the_switches_are_the_autoscalers(command: str) -> None:
    helped = program(command, "--help")
    refused = program(command, "--no-such-option")

    assert helped.returncode == 0
    assert f"{command} [OPTIONS]" in helped.stdout
    assert refused.returncode == ExitStatus.USAGE


def test_dead_letters_are_the_web_tiers() -> None:
    helped = program("dead-letters", "--help")
    refused = program("dead-letters", "redrive")

    assert helped.returncode == 0
    assert all(word in helped.stdout for word in ("list", "redrive"))
    assert refused.returncode == ExitStatus.USAGE
    assert "--job ID or --all" in refused.stderr


def test_a_missing_library_is_told_with_its_remedy() -> None:
    code = (
        "import sys; sys.modules['requests'] = None\n"  # as on an instance: it is not there
        "from gridwell.cli import main; main(['jobs'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )

    assert done.returncode == 1
    assert "needs requests; install it by `pip install 'gridwell[client]'`" in done.stderr
