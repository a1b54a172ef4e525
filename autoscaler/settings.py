"""The autoscaler's settings, from environment variables; only `autoscaler.cli` reads them."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from autoscaler.decide.model import Policy, Rule
from gridwell.fleet.model import Offering


class Settings(BaseSettings):
    """Settings of the autoscaler."""

    model_config = SettingsConfigDict(env_prefix="GRIDWELL_", extra="ignore", frozen=True)

    fleet: str = Field(
        "gridwell", min_length=1, description="names queues, table, launch template and tags"
    )
    chunks_queue: str = Field("", description="the queue of chunks; empty: FLEET-chunks")
    ledger_table: str = Field("", description="the ledger's table; empty: FLEET-ledger")
    launch_template: str = Field(
        "", description="the workers' launch template; empty: FLEET-worker"
    )
    max_instances: int = Field(
        19,
        ge=1,
        le=100,
        description="the cap, in instances; `gridwell cap` lowers it while the fleet runs",
    )
    chunks_per_instance: int = Field(
        4, ge=1, description="chunks in queue and in flight for which one instance is started"
    )
    tick_seconds: float = Field(10.0, gt=0, le=60, description="interval between two decisions")
    boot_grace_seconds: float = Field(
        180.0,
        ge=0,
        description="time from a start to the first heartbeat, before the instance is stopped",
    )
    quiet_seconds: float = Field(
        120.0,
        ge=0,
        description=(
            "with `--policy classic`: stopped instances are terminated after so long without work"
        ),
    )
    stopped_max_age_seconds: float = Field(
        24 * 3600.0, ge=0, description="stopped instances are terminated at this age"
    )
    capacity_retry_seconds: float = Field(
        60.0,
        ge=0,
        description="interval of trying an offer again when EC2 refuses all of them",
    )
    lease_seconds: float = Field(
        30.0,
        gt=0,
        le=600,
        description=(
            "another autoscaler takes over after so long without a renewal; at least two ticks"
        ),
    )
    instance_types: str = Field(
        "",
        pattern=r"^([a-z0-9.-]+(,[a-z0-9.-]+)*)?$",
        description="types to launch, the best first, with commas; empty: the launch template's",
    )
    subnets: str = Field(
        "",
        pattern=r"^(subnet-[a-z0-9]+(,subnet-[a-z0-9]+)*)?$",
        description=(
            "subnets to launch in, with commas; each type is tried in all of them; empty: the "
            "launch template's"
        ),
    )

    @model_validator(mode="after")
    def _lease_outlasts_ticks(self) -> Self:
        if self.lease_seconds < 2 * self.tick_seconds:
            raise ValueError(
                f"GRIDWELL_LEASE_SECONDS is {self.lease_seconds:g}, it must be at least twice "
                f"GRIDWELL_TICK_SECONDS, which is {self.tick_seconds:g}"
            )
        return self

    @property
    def queue(self) -> str:
        """The name of the queue of chunks."""
        return self.chunks_queue or f"{self.fleet}-chunks"

    @property
    def table(self) -> str:
        """The name of the ledger's table."""
        return self.ledger_table or f"{self.fleet}-ledger"

    @property
    def template(self) -> str:
        """The name of the launch template."""
        return self.launch_template or f"{self.fleet}-worker"

    @property
    def offers(self) -> tuple[Offering, ...]:
        """Offerings to ask EC2 for: each type in every subnet, before the next type."""
        subnets = self.subnets.split(",")
        return tuple(
            Offering(type=kind, subnet=subnet)
            for kind in self.instance_types.split(",")
            for subnet in subnets
        )

    def policy(self, rule: Rule) -> Policy:
        """Policy of these settings."""
        return Policy(
            rule=rule,
            max_instances=self.max_instances,
            chunks_per_instance=self.chunks_per_instance,
            boot_grace_seconds=self.boot_grace_seconds,
            quiet_seconds=self.quiet_seconds,
            stopped_max_age_seconds=self.stopped_max_age_seconds,
            capacity_retry_seconds=self.capacity_retry_seconds,
            offers=self.offers,
        )
