"""Where objects lie in the bucket."""

from __future__ import annotations


def problem_object(problem: str) -> str:
    """The key of a stored problem, by its sha."""
    return f"problems/{problem}.npz"


def answer_object(problem: str) -> str:
    """The key of the answer to a problem, by its sha: the same for every client."""
    return f"answers/{problem}.json"


def record_object(job: str, attempt: str) -> str:
    """The key of the record of a finished attempt."""
    return f"jobs/{job}/{attempt}/record.json"


def rows_object(job: str, attempt: str, digest: str) -> str:
    """Return the key of a segment of rows, by the sha256 of its bytes.

    A segment that is written again lies where it lay: results that come twice add nothing.
    """
    return f"{rows_prefix(job, attempt)}{digest}.jsonl"


def rows_prefix(job: str, attempt: str) -> str:
    """Return what the keys of all segments of an attempt begin with."""
    return f"jobs/{job}/{attempt}/rows/"


def sbom_object(release: str) -> str:
    """Return the key of a release's bill of materials, by the release's sha256."""
    return f"releases/{release}.cdx.json"


def release_object(sha: str) -> str:
    """The key of a release: the wheel whose bytes have this sha256."""
    return f"releases/{sha}.whl"
