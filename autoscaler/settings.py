"""The autoscaler's settings, from environment variables; only `autoscaler.cli` reads them."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from autoscaler.model import Policy, Rule


class Settings(BaseSettings):
    """What the autoscaler must be told."""

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

    def policy(self, rule: Rule) -> Policy:
        """The operator's limits, under a rule."""
        return Policy(
            rule=rule,
            max_instances=self.max_instances,
            chunks_per_instance=self.chunks_per_instance,
            boot_grace_seconds=self.boot_grace_seconds,
            quiet_seconds=self.quiet_seconds,
            stopped_max_age_seconds=self.stopped_max_age_seconds,
        )
