"""A job's answer as text.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gridwell.client.status import JobStatus


def answer_lines(status: JobStatus, *, url: str, seconds: float | None = None) -> list[str]:
    """What a done job found, for people; numbers keep every bit.

    Args:
        status: of a job that is done.
        url: of the service.
        seconds: what the caller measured; without it, from acceptance to end.

    Raises:
        ValueError: if the job is not done.
    """
    if status.result is None:
        raise ValueError(f"job {status.id} is {status.state}; only a done job has an answer")
    if seconds is None and status.finished is not None:
        seconds = (status.finished - status.created).total_seconds()
    names = ", ".join(instance_name(worker) for worker in status.workers)
    rows = [
        ("minimum", repr(status.result.minimum)),
        ("point", _triple(status.result.point)),
        ("index", _triple(status.result.index)),
        ("grid", f"{' x '.join(map(str, status.shape))} = {status.points_total:,} points"),
        ("atoms", f"{status.atom_count:,}{_origin(status)}"),
        ("chunks", f"{status.chunks_total}"),
        ("instances", names or "none: the answer was known"),
        ("time", "unknown" if seconds is None else f"{seconds:.2f} s"),
        ("job", status.id),
        ("page", f"{url}{status.links.get('page', '/')}"),
    ]
    return [*(f"{name:<10}{value}" for name, value in rows), *_point_lines(status)]


def _point_lines(status: JobStatus) -> list[str]:
    """The points of a series, one a line; none for the least point alone."""
    found, wanted = status.points, status.points_wanted
    ions = any(point.energy is not None for point in found)
    if wanted == 1 and not ions:
        return []
    lines = [
        f"{'ion' if ions else 'point':<6}{number:<4}"
        f"{(point.value if point.energy is None else point.energy)!r} at {_triple(point.point)}"
        for number, point in enumerate(found, start=1)
    ]
    if len(found) < wanted:
        lines.append(f"{len(found)} of the {wanted} that were wanted: no other point qualifies")
    return lines


def job_line(status: JobStatus) -> str:
    """A job in one line: id, state, size, progress and answer."""
    shape = "x".join(map(str, status.shape))
    if status.result is not None:
        end = f"{status.result.minimum!r} at {_triple(status.result.index)}"
    elif status.error is not None:
        end = status.error.code
    else:
        end = status.measure.words
    created = status.created.strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{status.id}  {created}  {status.state:<9}  {shape} x {status.atom_count}  {end}"


def instance_name(worker: str) -> str:
    """The instance's id where the worker's id is an instance's ARN, else the worker's id."""
    return worker.rsplit("/", 1)[-1]


def _origin(status: JobStatus) -> str:
    return "" if status.seed is None else f", seed {status.seed}"


def _triple(values: tuple[float, float, float]) -> str:
    return f"({', '.join(map(repr, values))})"
