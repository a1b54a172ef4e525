"""The web tier's settings, from environment variables; only `web_tier.cli` reads them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gridwell.domain.address import is_loopback
from gridwell.domain.quota import Quota
from web_tier.access.rules import Kind
from web_tier.collect import RECONCILE_SECONDS

OFF: Final = "off"
_RATE: Final = r"^[1-9][0-9]{0,8}/(second|minute|hour|day)$"
_USUAL_RATES: Final = {Kind.SUBMITS: "120/minute", Kind.READS: "1200/minute"}
#: The day's is ten hours of one core, about half a dollar.
_USUAL: Final = Quota(unfinished=100, job_seconds=600.0, day_seconds=36_000.0)

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

    def queue(self, name: str) -> str:
        """The name of one of our queues: `chunks`, `results`, `dead_chunks`, `dead_results`."""
        given: str = getattr(self, f"{name}_queue")
        return given or f"{self.fleet}-{name.replace('_', '-')}"

    @property
    def table(self) -> str:
        """The name of the ledger's table."""
        return self.ledger_table or f"{self.fleet}-ledger"


class Settings(Names):
    """What each process of the web tier must be told."""

    bucket: str = Field(min_length=3)
    memcached: str = Field("127.0.0.1:11211", pattern=r"^[^:]+:\d{1,5}$")
    host: str = "127.0.0.1"  #: loopback: whoever opens the service to others says so
    port: int = Field(8080, ge=0, le=65_535)
    threads: int = Field(940, gt=SERVING_THREADS, le=4096)
    streams: int = Field(300, ge=0, le=4096)  #: requests that may follow a job by events
    #: what a full fleet of 19 computes in the hour that a job has, at two seconds a chunk
    max_backlog: int = Field(30_000, ge=1)
    poll_seconds: float = Field(20.0, ge=0, le=20)
    reconcile_seconds: float = Field(RECONCILE_SECONDS, gt=0, le=600)
    dollars_per_hour: float = Field(0.08925, ge=0)  #: c7i.large on demand, us-east-1, 2026

    #: who is let in: everybody who can reach this machine's loopback, or whoever has a key
    access: Literal["open", "keys"] = Field("open", validate_default=True)
    proxies: int = Field(0, ge=0, le=8)  #: of ours in front, which say who calls and how
    #: Limits of each client, or address while open: unset, those below with keys and none without
    submit_rate: str | None = None
    read_rate: str | None = None
    #: wrong keys from one address
    failure_rate: str = Field("20/minute", pattern=_RATE)
    max_unfinished: Annotated[int, Field(ge=1)] | Literal["off"] | None = None
    max_job_seconds: Annotated[float, Field(gt=0)] | Literal["off"] | None = None
    daily_seconds: Annotated[float, Field(gt=0)] | Literal["off"] | None = None

    @field_validator("access")
    @classmethod
    def _open_to_this_machine_only(cls, value: str, info: ValidationInfo) -> str:
        host = info.data.get("host")  # absent if it is faulty itself
        if value == "open" and host is not None and not is_loopback(host):
            raise ValueError(
                f"open access is for loopback only, and GRIDWELL_HOST is {host!r}: whoever reaches "
                "it could spend your money; set GRIDWELL_ACCESS=keys and make keys by `gridwell "
                "keys create`, or listen on 127.0.0.1"
            )
        return value

    @field_validator("submit_rate", "read_rate")
    @classmethod
    def _is_rate(cls, value: str | None) -> str | None:
        if value not in (None, OFF) and re.match(_RATE, str(value)) is None:
            raise ValueError("a rate is such as 100/minute (second, minute, hour or day), or off")
        return value

    @property
    def rates(self) -> dict[Kind, str]:
        """The rate limits of each client."""
        given = {Kind.SUBMITS: self.submit_rate, Kind.READS: self.read_rate}
        chosen = {kind: self._or_usual(rate, _USUAL_RATES[kind]) for kind, rate in given.items()}
        return {kind: rate for kind, rate in chosen.items() if rate is not None}

    @property
    def quota(self) -> Quota:
        """The quota of each client."""
        return Quota(
            unfinished=self._or_usual(self.max_unfinished, _USUAL.unfinished),
            job_seconds=self._or_usual(self.max_job_seconds, _USUAL.job_seconds),
            day_seconds=self._or_usual(self.daily_seconds, _USUAL.day_seconds),
        )

    def _or_usual(self, given: Any, usual: Any) -> Any:
        """A limit as it is set; unset, the usual one with keys, and none without."""
        if given is None:
            return usual if self.access == "keys" else None
        return None if given == OFF else given

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
