"""`python -m app_tier work` on machines that fail: it says so, and another does the work."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from app_tier.worker.step_report import WorkerExit
from gridwell.engine.messages import ErrorMessage, ResultMessage, decode_report
from gridwell.engine.task_failure import MACHINE_FAILED
from tests.harness.waiting import await_true
from tests.system.test_worker_process import ROOT, WORKER, Place, ended, place

if TYPE_CHECKING:
    from pathlib import Path

    from gridwell.engine.messages import Report

pytestmark = pytest.mark.system

__all__ = ["place"]  # the region that the workers of this module share, too

OTHER = "arn:aws:ec2:us-east-1:1:instance/i-2"


def reports(place: Place) -> list[Report]:
    """All that was sent to the queue of results, which is empty afterwards."""
    found: list[Report] = []
    while batch := place.results.receive(at_most=10, wait=0):
        found += [decode_report(received.body) for received in batch]
        place.results.delete([received.receipt for received in batch])
    return found


def start(place: Place, limits: str = "", **more: str) -> subprocess.Popen[str]:
    """A worker on a machine that a shell has limited before."""
    work = shlex.join([sys.executable, "-P", "-m", "app_tier", "work"])
    shell = ["unshare", "-m"] if "mount" in limits else []
    return subprocess.Popen(
        [*shell, "bash", "-c", f"set -e; {limits} exec {work}"],
        env=place.environment | more,
        stderr=subprocess.PIPE,
        text=True,
    )


def is_done_by_another(place: Place) -> bool:
    """Whether another machine computes all that is queued."""
    status, words = ended(place.start(GRIDWELL_WORKER_ID=OTHER))
    assert status == 0, words
    depth = place.chunks.depth()
    return (depth.visible, depth.in_flight) == (0, 0)


#: As root writes to any folder that is not on a read-only disk.
READ_ONLY: Final = "".join(
    f"mount -t tmpfs -o ro,size=1m tmpfs {folder}; "
    for folder in ("/tmp", "/var/tmp")  # noqa: S108 - as tempfile
)


@pytest.mark.parametrize(
    ("limits", "settings"),
    [
        pytest.param(f"{READ_ONLY} cd /proc;", {"TMPDIR": "/proc"}, id="no folder"),
        pytest.param("ulimit -f 4;", {}, id="small files"),
        pytest.param("", {"GRIDWELL_MIN_FREE_MEBIBYTES": str(1 << 30)}, id="little room"),
        pytest.param("", {"GRIDWELL_MIN_MEMORY_MEBIBYTES": str(1 << 30)}, id="little memory"),
    ],
)
def test_a_machine_that_cannot_work_says_so_takes_nothing_and_another_does_the_job(
    place: Place, limits: str, settings: dict[str, str]
) -> None:
    if "mount" in limits and not _can_mount():
        pytest.skip("only root can make folders read-only")
    job = place.submit(chunks=4, seed=10 + len(limits) + len(str(settings)))

    status, words = ended(start(place, limits, **settings))

    assert status == WorkerExit.UNFIT.value, words
    beat = place.fleet.heartbeats([WORKER])[WORKER]
    assert beat.draining
    assert beat.unfit
    assert place.chunks.depth().in_flight == 0
    assert is_done_by_another(place)
    assert {each.worker for each in reports(place) if isinstance(each, ResultMessage)} == {OTHER}
    assert job.tasks == 4


def test_a_disk_that_fills_up_ends_the_worker_as_unfit_with_its_failure_reported(
    place: Place, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    try:
        process = start(
            place,
            TMPDIR=str(disk),
            GRIDWELL_MIN_FREE_MEBIBYTES="1",
            GRIDWELL_IDLE_POLLS="1000",
        )
        await_true(lambda: WORKER in place.fleet.heartbeats([WORKER]) and _is_fit(place))
        room = shutil.disk_usage(disk).free
        (disk / "filling").write_bytes(bytes(room - 4096))
        job = place.submit(chunks=2, n=20, atoms=2000, seed=99)
        status, words = ended(process)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)

    assert status == WorkerExit.UNFIT.value, words
    assert place.fleet.heartbeats([WORKER])[WORKER].unfit
    failed = [each for each in reports(place) if isinstance(each, ErrorMessage)]
    assert {each.code for each in failed} == {MACHINE_FAILED}
    assert {each.job for each in failed} == {job.id}
    await_true(lambda: place.chunks.depth().visible == 2)  # its chunk comes back after its pause
    assert is_done_by_another(place)


def _is_fit(place: Place) -> bool:
    beat = place.fleet.heartbeats([WORKER])[WORKER]
    return not beat.unfit and not beat.draining


def _can_mount() -> bool:
    if any(str(path).startswith(("/tmp", "/var/tmp")) for path in (ROOT, sys.executable)):  # noqa: S108 - as above
        return False  # it would hide the programs
    made = subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False, capture_output=True
    )
    return made.returncode == 0
