"""Baking an image: launch a builder, let it provision itself, copy its disk, clean up."""

from __future__ import annotations

import contextlib
import importlib.resources
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from gridwell.adapters.aws.client import code_of, translated
from gridwell.engine.errors import ServiceDenied, ServiceError
from gridwell.engine.object_keys import release_object, sbom_object
from user_data.render import fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ami.bundle import Bundle
    from gridwell.engine.ports import Clock, ObjectStore

_URL_SECONDS: Final = 3600
#: Encrypted, and so is the image that is a copy of it.
_DISK: Final = {
    "Encrypted": True,
    "VolumeSize": 8,
    "VolumeType": "gp3",
    "DeleteOnTermination": True,
}
_REPORT_LINES: Final = 30
_OFF: Final = ("stopped", "shutting-down", "terminated")


class BakeError(ServiceError):
    """A bake without an image; the message ends with the builder's log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baked:
    """An image, with the release and the commit that it was made of."""

    image: str
    build: str
    release: str
    version: str
    commit: str
    reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bakery:
    """Bakes images in one region.

    Args:
        ec2: a client of EC2.
        s3: a client of S3, to sign addresses and to read reports.
        store: the bucket as the tiers see it.
        bucket: its name.
        fleet: the fleet that the images belong to.
        base_image: the image that the builder boots from.
        instance_type: of the builder.
        clock: to wait by.
        say: called with a sentence at each step.
        poll_seconds: between two reads of the builder's state.
        patience_seconds: how long provisioning, and copying the disk, may take.
    """

    ec2: Any
    s3: Any
    store: ObjectStore
    bucket: str
    fleet: str
    base_image: str
    instance_type: str
    clock: Clock
    say: Callable[[str], None]
    poll_seconds: float = 2.0
    patience_seconds: float = 900.0

    def bake(self, bundle: Bundle) -> Baked:
        """Return the image of a bundle, and bake it if there is none.

        If a step fails, the builder is terminated, and the bundle and an unfinished image are
        removed.

        Raises:
            BakeError: if the builder did not provision itself.
            ServiceError: if AWS refused a step.
        """
        build = bundle.build(self.base_image)
        self.publish(bundle)
        image = self.find(build)
        reused = image is not None
        if image is None:
            with self._uploaded(bundle, build) as script, self._builder(script, build) as instance:
                self._await_report(build, instance)
                self._await_stopped(instance)
                image = self._copy_disk(instance, bundle, build)
        return Baked(
            image=image,
            build=build,
            release=bundle.release,
            version=bundle.version,
            commit=bundle.commit,
            reused=reused,
        )

    def publish(self, bundle: Bundle) -> None:
        """Put the release where instances of an older image fetch it."""
        self.store.put_new(
            release_object(bundle.release), bundle.wheel, content_type="application/zip"
        )
        self.store.put_new(
            sbom_object(bundle.release),
            bundle.sbom,
            content_type="application/vnd.cyclonedx+json",
        )

    def find(self, build: str) -> str | None:
        """Return the newest available image of a build, or None."""
        filters = [
            {"Name": "tag:gridwell:build", "Values": [build]},
            {"Name": "state", "Values": ["available"]},
        ]
        with translated("the images"):
            images = self.ec2.describe_images(Owners=["self"], Filters=filters)["Images"]
        newest = max(images, key=lambda image: image.get("CreationDate", ""), default=None)
        return None if newest is None else str(newest["ImageId"])

    @contextlib.contextmanager
    def _uploaded(self, bundle: Bundle, build: str) -> Iterator[str]:
        """Keep the bundle in the bucket, and yield the builder's script with signed addresses."""
        key, report = _keys(build)
        with translated(f"the bucket {self.bucket}"):
            # A report that a killed bake left must not be taken for this bake's.
            self.s3.delete_object(Bucket=self.bucket, Key=report)
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=bundle.archive)
        try:
            yield fill(
                importlib.resources.files("ami").joinpath("builder.sh.in").read_text("utf-8"),
                {
                    "bundle_url": self._signed("get_object", key),
                    "bundle_sha": bundle.sha,
                    "report_url": self._signed("put_object", report),
                },
            )
        finally:
            with translated(f"the bucket {self.bucket}"):
                for name in (key, report):
                    self.s3.delete_object(Bucket=self.bucket, Key=name)

    def _signed(self, operation: str, key: str) -> str:
        address: str = self.s3.generate_presigned_url(
            operation, Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=_URL_SECONDS
        )
        return address

    @contextlib.contextmanager
    def _builder(self, script: str, build: str) -> Iterator[str]:
        """Yield a running builder, and terminate it in any case."""
        root = self._root_device()
        # Without the fleet's tag: no autoscaler may count it.
        tags = [
            {"Key": "gridwell:builder", "Value": build[:12]},
            {"Key": "Name", "Value": f"{self.fleet}-builder"},
        ]
        with translated("the builder"):
            reply = self.ec2.run_instances(
                ImageId=self.base_image,
                InstanceType=self.instance_type,
                MinCount=1,
                MaxCount=1,
                UserData=script,
                InstanceInitiatedShutdownBehavior="stop",
                MetadataOptions={
                    "HttpTokens": "required",
                    "HttpEndpoint": "enabled",
                    "HttpPutResponseHopLimit": 1,
                },
                BlockDeviceMappings=[{"DeviceName": root, "Ebs": _DISK}],
                TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
            )
        instance = str(reply["Instances"][0]["InstanceId"])
        try:
            self.say(f"builder {instance} boots from {self.base_image}")
            yield instance
        finally:
            with translated(f"the builder {instance}"):
                self.ec2.terminate_instances(InstanceIds=[instance])

    def _root_device(self) -> str:
        """Return the name of the base image's root disk; it differs between images."""
        with translated(f"the base image {self.base_image}"):
            images = self.ec2.describe_images(ImageIds=[self.base_image])["Images"]
        if not images:
            raise ServiceDenied(f"the base image {self.base_image} is not there to launch from")
        return str(images[0]["RootDeviceName"])

    def _await_report(self, build: str, instance: str) -> None:
        _, report = _keys(build)
        deadline = self.clock.monotonic() + self.patience_seconds
        while (data := self.store.get(report)) is None:
            state = self._state(instance)
            # Read once more after it stopped: the report is its last act.
            if state in _OFF and self.store.get(report) is None:
                raise BakeError(
                    f"builder {instance} is {state} without a report{self._console(instance)}"
                )
            if self.clock.monotonic() > deadline:
                raise BakeError(
                    f"builder {instance} did not report within {self.patience_seconds:g} s"
                    f"{self._console(instance)}"
                )
            self.clock.sleep(self.poll_seconds)
        status, _, log = data.decode(errors="replace").partition("\n")
        if status != "0":
            tail = "\n".join(log.splitlines()[-_REPORT_LINES:])
            raise BakeError(f"builder {instance} failed with status {status}:\n{tail}")
        self.say(f"builder {instance} is provisioned and passed its smoke test")

    def _await_stopped(self, instance: str) -> None:
        deadline = self.clock.monotonic() + self.patience_seconds
        while (state := self._state(instance)) != "stopped":
            if state in _OFF or self.clock.monotonic() > deadline:
                raise BakeError(f"builder {instance} did not power itself off: it is {state}")
            self.clock.sleep(self.poll_seconds)

    def _copy_disk(self, instance: str, bundle: Bundle, build: str) -> str:
        tags = {
            "gridwell:fleet": self.fleet,
            "gridwell:build": build,
            "gridwell:release": bundle.release,
            "gridwell:version": bundle.version,
            "gridwell:commit": bundle.commit,
            "gridwell:base": self.base_image,
        }
        with translated("the new image"):
            image = str(
                self.ec2.create_image(
                    InstanceId=instance,
                    Name=f"{self.fleet}-{bundle.version}-{build[:12]}",
                    Description="Gridwell worker",
                    TagSpecifications=[
                        {
                            "ResourceType": "image",
                            "Tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)],
                        }
                    ],
                )["ImageId"]
            )
        try:
            self._await_available(image, instance)
        except BaseException:
            # Its name would stay taken, and EC2 refuse every later bake of this build.
            with translated(f"the image {image}"):
                self.ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
            raise
        self.say(f"image {image} is available")
        return image

    def _await_available(self, image: str, instance: str) -> None:
        deadline = self.clock.monotonic() + self.patience_seconds
        while (state := self._image_state(image)) != "available":
            if state == "failed" or self.clock.monotonic() > deadline:
                raise BakeError(f"image {image} of builder {instance} is {state}")
            self.clock.sleep(self.poll_seconds)

    def _state(self, instance: str) -> str:
        with translated(f"the builder {instance}"):
            try:
                reply = self.ec2.describe_instances(InstanceIds=[instance])
            except ClientError as error:
                if code_of(error) == "InvalidInstanceID.NotFound":
                    return "pending"  # EC2 may not know its own new instance yet
                raise
        return str(reply["Reservations"][0]["Instances"][0]["State"]["Name"])

    def _image_state(self, image: str) -> str:
        with translated(f"the image {image}"):
            images = self.ec2.describe_images(ImageIds=[image])["Images"]
        return str(images[0]["State"]) if images else "pending"

    def _console(self, instance: str) -> str:
        """Return the end of a builder's console log, for an error message."""
        with translated(f"the console of builder {instance}"):
            output = self.ec2.get_console_output(InstanceId=instance).get("Output", "")
        lines = output.splitlines()[-_REPORT_LINES:]
        return ":\n" + "\n".join(lines) if lines else "; its console is empty"


def _keys(build: str) -> tuple[str, str]:
    return f"builds/{build}/bundle.tar.gz", f"builds/{build}/report"
