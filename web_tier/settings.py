"""The web tier's settings, from environment variables; only `web_tier.cli` reads them."""

from __future__ import annotations

import hashlib
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gridwell.kinds.grid.sampling import DEFAULT_POINTS
from web_tier.auth.settings import AccessSettings
from web_tier.collector.turns import RECONCILE_SECONDS

#: Threads that never wait for a job's end, so that others are served while many wait.
SERVING_THREADS = 128


class Names(BaseSettings):
    """The names of queues and ledger."""

    model_config = SettingsConfigDict(env_prefix="GRIDWELL_", extra="ignore", frozen=True)

    fleet: str = Field("gridwell", min_length=1)
    chunks_queue: str = ""
    results_queue: str = ""
    dead_chunks_queue: str = ""
    dead_results_queue: str = ""
    ledger_table: str = ""
    launch_template: str = ""

    def queue(self, name: str) -> str:
        """The name of one of our queues: `chunks`, `results`, `dead_chunks`, `dead_results`."""
        given: str = getattr(self, f"{name}_queue")
        return given or f"{self.fleet}-{name.replace('_', '-')}"

    @property
    def table(self) -> str:
        """The name of the ledger's table."""
        return self.ledger_table or f"{self.fleet}-ledger"

    @property
    def template(self) -> str:
        """The name of the workers' launch template."""
        return self.launch_template or f"{self.fleet}-worker"


class Settings(Names, AccessSettings):
    """What each process of the web tier must be told."""

    bucket: str = Field(min_length=3)
    #: host and port, or the absolute path of a socket file
    memcached: str = Field("127.0.0.1:11211", pattern=r"^([^:/]+:\d{1,5}|/.+)$")
    port: int = Field(8080, ge=0, le=65_535)
    threads: int = Field(940, gt=SERVING_THREADS, le=4096)
    streams: int = Field(300, ge=0, le=4096)  #: requests that may follow a job by events
    #: what a full fleet of 19 computes in the hour that a job has, at two seconds a chunk
    max_backlog: int = Field(30_000, ge=1)
    poll_seconds: float = Field(20.0, ge=0, le=20)
    reconcile_seconds: float = Field(RECONCILE_SECONDS, gt=0, le=600)
    #: drawn at random, at which the answer of a large problem is checked before it is published
    checked_points: int = Field(DEFAULT_POINTS, ge=0, le=100_000)
    #: of all chunks, drawn at random, that two workers compute, and of which both must agree
    doubled_share: float = Field(0.0, ge=0, le=1)
    #: the ARN of a topic to which every event of a job is published; empty: none is
    events_topic: str = Field("", pattern=r"^(arn:[^:]+:sns:[^:]+:[^:]+:[^:]+)?$")
    #: where the collector tells what it counts, on `host`; 0: nowhere
    collector_metrics_port: int = Field(0, ge=0, le=65_535)
    #: where an instance is killed on request, for trials of what follows; empty: nowhere
    kill_url: str = Field("", pattern=r"^(http://.+)?$")
    kill_key: SecretStr = SecretStr("")  #: a bearer token for `kill_url`; empty: none is sent
    dollars_per_hour: float = Field(0.08925, ge=0)  #: c7i.large on demand, us-east-1, 2026

    @property
    def stack(self) -> str:
        """Sixteen hex digits that name the stack where several share a memcached."""
        names = f"{self.fleet}\n{self.table}\n{self.bucket}"
        return hashlib.sha256(names.encode()).hexdigest()[:16]

    @property
    def waiting(self) -> int:
        """How many requests of a process may wait for their jobs together."""
        return self.threads - SERVING_THREADS - self.streams

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.waiting < 0:
            raise ValueError(
                f"{self.threads} threads are too few for {self.streams} streams and the "
                f"{SERVING_THREADS} that serve everything else; raise THREADS or lower STREAMS"
            )
        return self
