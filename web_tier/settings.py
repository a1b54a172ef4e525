"""The web tier's settings, from environment variables; only `web_tier.composition` reads them."""

from __future__ import annotations

import hashlib
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gridwell.kinds.grid.sampling import DEFAULT_POINTS
from web_tier.auth.settings import AccessSettings
from web_tier.collector.loop import RECONCILE_SECONDS

#: Threads that never wait for a job's end, so that others are served while many wait.
SERVING_THREADS = 128


class Names(BaseSettings):
    """The names of queues and ledger."""

    model_config = SettingsConfigDict(env_prefix="GRIDWELL_", extra="ignore", frozen=True)

    fleet: str = Field(
        "gridwell", min_length=1, description="names queues, table, launch template and tags"
    )
    chunks_queue: str = Field("", description="the queue of chunks; empty: FLEET-chunks")
    results_queue: str = Field("", description="the queue of results; empty: FLEET-results")
    dead_chunks_queue: str = Field(
        "", description="the dead letters of chunks; empty: FLEET-dead-chunks"
    )
    dead_results_queue: str = Field(
        "", description="the dead letters of results; empty: FLEET-dead-results"
    )
    ledger_table: str = Field("", description="the ledger's table; empty: FLEET-ledger")
    launch_template: str = Field(
        "", description="the workers' launch template; empty: FLEET-worker"
    )

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
    """Settings of each process of the web tier."""

    bucket: str = Field(min_length=3, description="the stack's bucket")
    memcached: str = Field(
        "127.0.0.1:11211",
        pattern=r"^([^:/]+:\d{1,5}|/.+)$",
        description="host and port, or the absolute path of a socket file",
    )
    port: int = Field(8080, ge=0, le=65_535, description="the port to listen on; 0: a free one")
    threads: int = Field(
        940,
        gt=SERVING_THREADS,
        le=4096,
        description=(
            f"of these {SERVING_THREADS} serve, `STREAMS` may hold event streams, and the rest may "
            "hold `Prefer: wait`"
        ),
    )
    streams: int = Field(300, ge=0, le=4096, description="event streams of a process")
    #: A full fleet of 19 computes so many in an hour, a job's deadline, at two seconds a chunk.
    max_backlog: int = Field(
        30_000, ge=1, description="waiting chunks above which new jobs are rejected"
    )
    poll_seconds: float = Field(
        20.0, ge=0, le=20, description="length of the collector's long poll; SQS allows 20 s"
    )
    reconcile_seconds: float = Field(
        RECONCILE_SECONDS, gt=0, le=600, description="interval of the reconciler"
    )
    checked_points: int = Field(
        DEFAULT_POINTS,
        ge=0,
        le=100_000,
        description=(
            "random points at which the answer of a large problem is checked; fewer with many atoms"
        ),
    )
    doubled_share: float = Field(
        0.0, ge=0, le=1, description="share of chunks that two workers compute and must agree on"
    )
    events_topic: str = Field(
        "",
        pattern=r"^(arn:[^:]+:sns:[^:]+:[^:]+:[^:]+)?$",
        description="ARN of an SNS topic for job events; empty: none are published",
    )
    collector_metrics_port: int = Field(
        0, ge=0, le=65_535, description="port of the collector's `/metrics`, on `HOST`; 0: none"
    )
    kill_url: str = Field(
        "",
        pattern=r"^(http://.+)?$",
        description="URL that kills an instance, for trials; adds a button to the fleet page",
    )
    kill_key: SecretStr = Field(SecretStr(""), description="bearer token for `KILL_URL`")
    dollars_per_hour: float = Field(
        0.08925,
        ge=0,
        description=(
            "price of an instance, for estimates; the default is c7i.large in us-east-1, on demand"
        ),
    )

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
