"""Settings of a bake, from environment variables."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Variables with the prefix ``GRIDWELL_``."""

    model_config = SettingsConfigDict(env_prefix="GRIDWELL_")

    fleet: str = Field("gridwell", description="names queues, table, launch template and tags")
    bucket: str = Field(description="the stack's bucket")
    base_image: str | None = Field(
        default=None,
        description="the image that the builder boots from; unset: Debian 12's newest",
    )
    builder_type: str = Field("t3.small", description="the instance type of the builder")
