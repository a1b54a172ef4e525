"""The library that users import: submit jobs, wait for them, read what they found.

Example:
    from gridwell import Client

    with Client("http://127.0.0.1:8080") as client:
        print(client.submit(grid_size=40, atom_count=200, seed=1).wait())
"""

from gridwell.client.client import Client
from gridwell.client.errors import (
    JobCancelled,
    JobFailed,
    JobTimeout,
    KeyRefused,
    NoSuchJob,
    Unreachable,
)
from gridwell.client.fleet import FleetStatus, InstanceStatus
from gridwell.client.grid.job import GridJob
from gridwell.client.grid.map import GridMap
from gridwell.client.grid.request import JobRequest
from gridwell.client.grid.status import GridStatus, Point, Result
from gridwell.client.job import Job
from gridwell.client.status import JobStatus

__all__ = [
    "Client",
    "FleetStatus",
    "GridJob",
    "GridMap",
    "GridStatus",
    "InstanceStatus",
    "Job",
    "JobCancelled",
    "JobFailed",
    "JobRequest",
    "JobStatus",
    "JobTimeout",
    "KeyRefused",
    "NoSuchJob",
    "Point",
    "Result",
    "Unreachable",
]
