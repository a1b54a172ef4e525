"""The worker's settings, from environment variables; only `app_tier.cli` reads them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What a worker must be told."""

    model_config = SettingsConfigDict(env_prefix="GRIDWELL_", extra="ignore", frozen=True)

    fleet: str = Field("gridwell", min_length=1)
    chunks_queue: str = ""
    results_queue: str = ""
    ledger_table: str = ""
    bucket: str = Field(min_length=3)
    worker_id: str = Field(default_factory=socket.gethostname, pattern=r"^[!-~]{1,256}$")
    poll_seconds: float = Field(20.0, gt=0, le=20)  #: SQS allows no longer poll
    idle_polls: int = Field(3, ge=1)
    minimum_uptime_seconds: float = Field(60.0, ge=0)
    unreachable_seconds: float = Field(600.0, gt=0)
    progress_file: Path | None = None
    #: MiB that the disk of the working folder must have free, for problems and maps on their way.
    min_free_mebibytes: int = Field(64, ge=0)
    #: MiB of memory that must be available before the worker takes work.
    min_memory_mebibytes: int = Field(64, ge=0)
    cores: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)

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
