"""Settings of a bake, from environment variables."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Variables with the prefix ``GRIDWELL_``."""

    model_config = SettingsConfigDict(env_prefix="GRIDWELL_")

    fleet: str = "gridwell"
    bucket: str = Field(description="The stack's bucket")
    base_image: str | None = Field(
        default=None,
        description="The image that the builder boots from; by default Debian's newest",
    )
    builder_type: str = "t3.small"
