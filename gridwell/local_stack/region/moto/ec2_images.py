"""Patch of moto's EC2 images: each has a disk.

Behaviours of moto that it replaces:

* `AmiBackend.create_image` returns an available image at once, without content, even if the name
  is in use.  With the patch an image is pending until its disk is copied, and names are unique.
* `register_image` and `copy_image` make images without a disk, which could not boot.  They are
  refused.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Protocol

from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami
from moto.ec2.models.amis import AmiBackend as _AmiBackend
from moto.ec2.models.tags import TagBackend as _TagBackend

from gridwell.local_stack.region.images import ImageRecord
from gridwell.local_stack.region.instance_lifecycle import client_error

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

#: CreateImage's own rule.
_NAME = re.compile(r"^[A-Za-z0-9()\[\] ./\-'@_]{3,128}$")


class ImageKeeper(Protocol):
    """Store of the images' disks."""

    def capture(self, instance_id: str, record: ImageRecord, done: Callable[[bool], None]) -> None:
        """Copy the instance's disk in the background, then call `done`: True if it succeeded."""

    def discard(self, image_id: str) -> None:
        """Throw an image's disk away."""

    def retag(self, image_id: str, tags: dict[str, str]) -> None:
        """Note the image's tags, so that they outlive the process."""


def register(record: ImageRecord, *, account_id: str, region: str) -> None:
    """Make moto know an image from an earlier run, under its old id."""
    backend: Any = ec2_backends[account_id][region]
    image: Any = Ami(
        backend,
        record.image_id,
        name=record.name,
        description=record.description,
        virtualization_type="hvm",
        architecture=record.architecture,
        creation_date=record.created_at(),
        root_device_type="ebs",
        region_name=region,
        tags=dict(record.tags),
    )
    backend.amis[record.image_id] = image


def install(keeper: ImageKeeper, lock: threading.RLock) -> None:
    """Put `keeper` behind moto's image calls.  Once per process: the classes are moto's own."""
    backend_class: Any = _AmiBackend
    stock_create, stock_deregister = backend_class.create_image, backend_class.deregister_image

    def create_image(
        self: Any, instance_id: str, name: str, description: str, tag_specifications: Any
    ) -> Any:
        with lock:
            _check(self, self.get_instance(instance_id), name)
            image = stock_create(self, instance_id, name, description, tag_specifications)
            image.state = "pending"
            record = ImageRecord(
                image_id=image.id,
                name=name,
                description=description,
                architecture=image.architecture,
                tags=_tags(image),
                created=image.creation_date.isoformat(),
            )

        def done(ready: bool) -> None:  # noqa: FBT001 - the keeper's answer
            if ready:
                keeper.retag(image.id, _tags(image))  # it may have been tagged meanwhile
            image.state = "available" if ready else "failed"

        keeper.capture(instance_id, record, done)
        return image

    def deregister_image(self: Any, ami_id: str) -> None:
        with lock:
            stock_deregister(self, ami_id)
            keeper.discard(ami_id)

    def refuse(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG001 - moto's signature
        raise client_error(
            "UnsupportedOperation",
            "an image here is the copy of an instance's disk: use CreateImage",
        )

    backend_class.create_image = create_image
    backend_class.deregister_image = deregister_image
    backend_class.register_image = backend_class.copy_image = refuse
    tag_backend: Any = _TagBackend
    for name in ("create_tags", "delete_tags"):
        setattr(tag_backend, name, _retagging(getattr(tag_backend, name), keeper))


def _check(backend: Any, instance: Any, name: str) -> None:
    if instance.state not in ("running", "stopped"):
        raise client_error(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is {instance.state}; an image can be made of a running"
            " or stopped one.",
        )
    if not _NAME.match(name or ""):
        raise client_error(
            "InvalidAMIName.Malformed",
            f"AMI name {name!r}: 3 to 128 letters, digits, spaces or ()[]./-'@_ are needed.",
        )
    for image in backend.amis.values():
        if image.name == name:
            raise client_error(
                "InvalidAMIName.Duplicate",
                f"AMI name {name} is already in use by AMI {image.id}",
            )


def _tags(image: Any) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in image.get_tags()}


def _retagging(stock: Callable[..., Any], keeper: ImageKeeper) -> Callable[..., Any]:
    @functools.wraps(stock)
    def act(self: Any, resource_ids: list[str], tags: dict[str, str]) -> Any:
        result = stock(self, resource_ids, tags)
        for image_id in set(resource_ids) & set(self.amis):
            keeper.retag(image_id, _tags(self.amis[image_id]))
        return result

    return act
