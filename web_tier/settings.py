"""The web tier's settings, from environment variables; only `web_tier.cli` reads them."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from web_tier.collect import RECONCILE_SECONDS

#: Threads that never wait for a job, so that others are served while many wait.
SERVING_THREADS = 16


class Settings(BaseSettings):
    """What each process of the web tier must be told."""

    model_config = SettingsConfigDict(env_prefix="GRIDWELL_", extra="ignore", frozen=True)

    fleet: str = Field("gridwell", min_length=1)
    chunks_queue: str = ""
    results_queue: str = ""
    dead_chunks_queue: str = ""
    dead_results_queue: str = ""
    ledger_table: str = ""
    bucket: str = Field(min_length=3)
    memcached: str = Field("127.0.0.1:11211", pattern=r"^[^:]+:\d{1,5}$")
    host: str = "127.0.0.1"  #: loopback: whoever opens the service to others says so
    port: int = Field(8080, ge=0, le=65_535)
    threads: int = Field(256, gt=SERVING_THREADS, le=4096)
    poll_seconds: float = Field(20.0, ge=0, le=20)
    reconcile_seconds: float = Field(RECONCILE_SECONDS, gt=0, le=600)

    def queue(self, name: str) -> str:
        """The name of one of our queues: `chunks`, `results`, `dead_chunks`, `dead_results`."""
        given: str = getattr(self, f"{name}_queue")
        return given or f"{self.fleet}-{name.replace('_', '-')}"

    @property
    def table(self) -> str:
        """The name of the ledger's table."""
        return self.ledger_table or f"{self.fleet}-ledger"

    @property
    def waiting(self) -> int:
        """How many requests of a process may wait for their jobs together."""
        return self.threads - SERVING_THREADS
