"""The worker's settings, from environment variables; only `app_tier.cli` reads them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The worker's settings."""

    model_config = SettingsConfigDict(env_prefix="GRIDWELL_", extra="ignore", frozen=True)

    fleet: str = Field(
        "gridwell", min_length=1, description="names queues, table, launch template and tags"
    )
    chunks_queue: str = Field("", description="the queue of chunks; empty: FLEET-chunks")
    results_queue: str = Field("", description="the queue of results; empty: FLEET-results")
    ledger_table: str = Field("", description="the ledger's table; empty: FLEET-ledger")
    bucket: str = Field(min_length=3, description="the stack's bucket")
    worker_id: str = Field(
        default_factory=socket.gethostname,
        pattern=r"^[!-~]{1,256}$",
        description="names this worker; on an instance its ARN",
    )
    poll_seconds: float = Field(
        20.0, gt=0, le=20, description="length of a long poll; SQS allows 20 s"
    )
    idle_polls: int = Field(
        3, ge=1, description="the worker ends after so many empty polls in a row"
    )
    minimum_uptime_seconds: float = Field(
        60.0, ge=0, description="the worker runs at least so long: EC2 bills a minute at least"
    )
    unreachable_seconds: float = Field(
        600.0, gt=0, description="the worker ends when its queues have not answered for so long"
    )
    progress_file: Path | None = Field(
        None,
        description=(
            "a file that the worker touches when a queue answers; the deadline unit reads its age"
        ),
    )
    #: Problems, and maps before they are stored, lie in the working folder.
    min_free_mebibytes: int = Field(
        64, ge=0, description="free disk, in MiB, that the worker needs before it takes work"
    )
    min_memory_mebibytes: int = Field(
        64, ge=0, description="available memory, in MiB, that the worker needs before it takes work"
    )
    cores: int = Field(
        default_factory=lambda: os.cpu_count() or 1, ge=1, le=256, description="compute processes"
    )

    @property
    def chunks(self) -> str:
        """The name of the queue of chunks."""
        return self.chunks_queue or f"{self.fleet}-chunks"

    @property
    def results(self) -> str:
        """The name of the queue of results."""
        return self.results_queue or f"{self.fleet}-results"

    @property
    def table(self) -> str:
        """The name of the ledger's table."""
        return self.ledger_table or f"{self.fleet}-ledger"
