"""Data about an instance that its own machine may read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFacts:
    """One instance as EC2 describes it: the source of the metadata service and of its boot."""

    instance_id: str
    image_id: str
    instance_type: str
    architecture: str
    private_ip: str
    region: str
    availability_zone: str
    account_id: str
    launch_index: int = 0
    user_data: bytes = b""
    tags: Mapping[str, str] = field(default_factory=dict)
    tags_in_metadata: bool = False  #: InstanceMetadataTags of the metadata options
    role: str | None = None  #: the role of the instance profile
    profile_arn: str | None = None
