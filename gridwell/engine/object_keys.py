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


def sbom_object(release: str) -> str:
    """Return the key of a release's bill of materials, by the release's sha256."""
    return f"releases/{release}.cdx.json"


def release_object(sha: str) -> str:
    """The key of a release: the wheel whose bytes have this sha256."""
    return f"releases/{sha}.whl"
