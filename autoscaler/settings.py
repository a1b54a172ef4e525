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

    fleet: str = Field("gridwell", min_length=1)
    chunks_queue: str = ""
    ledger_table: str = ""
    launch_template: str = ""
    max_instances: int = Field(19, ge=1, le=100)  #: slots have two digits
    chunks_per_instance: int = Field(4, ge=1)
    tick_seconds: float = Field(10.0, gt=0, le=60)
    boot_grace_seconds: float = Field(180.0, ge=0)
    quiet_seconds: float = Field(120.0, ge=0)
    stopped_max_age_seconds: float = Field(24 * 3600.0, ge=0)
    capacity_retry_seconds: float = Field(60.0, ge=0)
    lease_seconds: float = Field(30.0, gt=0, le=600)
    instance_types: str = Field("", pattern=r"^([a-z0-9.-]+(,[a-z0-9.-]+)*)?$")
    subnets: str = Field("", pattern=r"^(subnet-[a-z0-9]+(,subnet-[a-z0-9]+)*)?$")

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
