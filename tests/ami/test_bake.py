"""Real bakes: a builder boots, provisions itself, and becomes an image, or nothing at all."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from packaging.utils import canonicalize_name

from ami.bake import Baked, BakeError
from ami.bundle import Bundle, _pack
from ami.pins import pins_of
from gridwell.deploy.cloudformation import create_or_update
from gridwell.local_stack.program_environment import python
from tests.ami.conftest import FLEET
from tests.ami.test_bundle import files_of
from tests.harness.waiting import DEADLINE
from user_data.render import encoded, worker_user_data

if TYPE_CHECKING:
    from ami.bake import Bakery
    from tests.ami.conftest import Workshop

_OUTSIDE = "only a kernel that gives us a mount namespace can make the rest read-only"


def provisioning(bundle: Bundle, script: str) -> Bundle:
    """The bundle, with a provision.sh of the test's own and nothing else in it."""
    return replace(bundle, archive=_pack({"provision.sh": f"#!/bin/sh\n{script}\n".encode()}))


@pytest.fixture(scope="session")
def baked(workshop: Workshop, bundle: Bundle) -> Baked:
    return workshop.bakery().bake(bundle)


@pytest.fixture
def leaves_nothing(workshop: Workshop) -> Any:
    """What was there before a bake that fails is all that is there after it."""
    images = workshop.images()
    yield
    for builder in workshop.builders():
        workshop.region.await_state(builder, "terminated")
    assert workshop.images() == images
    assert workshop.objects("builds/") == []


def test_the_image_says_what_it_is_made_of(
    workshop: Workshop, bundle: Bundle, baked: Baked
) -> None:
    (image,) = (one for one in workshop.images() if one["ImageId"] == baked.image)

    assert not baked.reused
    assert image["State"] == "available"
    assert image["Name"] == f"{FLEET}-{bundle.version}-{baked.build[:12]}"
    assert {tag["Key"]: tag["Value"] for tag in image["Tags"]} == {
        "gridwell:fleet": FLEET,
        "gridwell:build": bundle.build(workshop.region.base_image),
        "gridwell:release": bundle.release,
        "gridwell:version": bundle.version,
        "gridwell:commit": bundle.commit,
        "gridwell:base": workshop.region.base_image,
    }


def test_a_bake_leaves_its_image_and_its_release_and_no_more(
    workshop: Workshop, bundle: Bundle, baked: Baked
) -> None:
    for builder in workshop.builders():
        workshop.region.await_state(builder, "terminated")

    assert workshop.objects("builds/") == []
    assert f"releases/{bundle.release}.whl" in workshop.objects("releases/")
    assert f"releases/{bundle.release}.cdx.json" in workshop.objects("releases/")


def test_a_build_that_is_there_is_reused_without_a_builder(
    workshop: Workshop, bundle: Bundle, baked: Baked
) -> None:
    builders = workshop.builders().keys()

    again = workshop.bakery().bake(bundle)

    assert again == replace(baked, reused=True)
    assert workshop.builders().keys() == builders


def test_an_instance_of_the_image_verifies_its_release_works_and_powers_off(
    workshop: Workshop, bundle: Bundle, baked: Baked
) -> None:
    told = ("FLEET", "CHUNKS_QUEUE", "RESULTS_QUEUE", "LEDGER_TABLE", "BUCKET")
    settings = {f"GRIDWELL_{name}": workshop.settings[f"GRIDWELL_{name}"] for name in told} | {
        "GRIDWELL_RELEASE": baked.release,
        "GRIDWELL_POLL_SECONDS": "1",
        "GRIDWELL_IDLE_POLLS": "1",
        "GRIDWELL_MINIMUM_UPTIME_SECONDS": "0",
        "GRIDWELL_CORES": "1",
    }
    parameters = {
        "WorkerImage": baked.image,
        "WorkerUserData": encoded(worker_user_data(settings)),
        "Release": baked.release,
    }
    names = create_or_update(
        workshop.region.client("cloudformation"), FLEET, parameters, poll_seconds=1
    )
    reply = workshop.region.ec2.run_instances(
        LaunchTemplate={"LaunchTemplateName": names["LaunchTemplate"]}, MinCount=1, MaxCount=1
    )
    instance = reply["Instances"][0]["InstanceId"]

    workshop.region.await_state(instance, "stopped")

    console = workshop.region.console(instance)
    assert f"release {baked.release[:12]} is verified, in the image" in console
    assert "settings written for" in console
    written = (workshop.region.folder(instance) / "opt/gridwell/run/env").read_text()
    assert f":instance/{instance}\n" in written
    installed = workshop.region.folder(instance) / "opt/gridwell/venv/lib"
    packages = {path.name for path in installed.glob("python3*/site-packages/*")}
    assert {"numpy", "boto3", "click"} <= packages
    bill = {one["name"]: one["version"] for one in json.loads(bundle.sbom)["components"]}
    there = (path.stem.rsplit("-", 1) for path in installed.glob("*/*/*.dist-info"))
    assert {canonicalize_name(name): version for name, version in there} == bill
    assert not packages & {"pip", "setuptools", "gridwell", "pkg_resources"}
    workshop.region.ec2.terminate_instances(InstanceIds=[instance])


def test_a_provisioning_that_fails_tells_its_last_words(
    workshop: Workshop, bundle: Bundle, leaves_nothing: None
) -> None:
    failing = provisioning(bundle, "echo the disk is full; exit 3")

    with pytest.raises(BakeError, match=r"status 3:\n(.*\n)*the disk is full"):
        workshop.bakery().bake(failing)


def test_a_package_whose_hash_is_not_pinned_is_not_installed(
    workshop: Workshop, bundle: Bundle, leaves_nothing: None
) -> None:
    files = files_of(bundle)
    pins = files["requirements.txt"].decode()
    start = pins.index("\nclick==")
    end = pins.index("==", start + len("\nclick=="))
    forged = re.sub("sha256:[0-9a-f]{8}", "sha256:00000000", pins[start:end])
    files["requirements.txt"] = (pins[:start] + forged + pins[end:]).encode()

    with pytest.raises(BakeError, match=r"DO NOT MATCH THE HASHES(.*\n)*.*click==(.*\n)*.*sha256"):
        workshop.bakery().bake(replace(bundle, archive=_pack(files)))


def test_a_package_that_the_wheel_asks_for_and_the_pins_leave_out_fails_the_bake(
    workshop: Workshop, bundle: Bundle, leaves_nothing: None
) -> None:
    files = files_of(bundle)
    (click,) = (pin for pin in pins_of(bundle.pins) if pin.name == "click")
    files["requirements.txt"] = click.entry.encode()

    with pytest.raises(
        BakeError, match=r"No matching distribution found for (?!click)[a-z0-9-]+=="
    ):
        workshop.bakery().bake(replace(bundle, archive=_pack(files)))


def test_a_builder_has_an_encrypted_disk_and_its_metadata_stay_on_it(
    workshop: Workshop, bundle: Bundle, leaves_nothing: None
) -> None:
    asked: list[dict[str, Any]] = []
    event = "provide-client-params.ec2.RunInstances"

    def note(params: dict[str, Any], **_: Any) -> None:
        asked.append(params)

    workshop.region.ec2.meta.events.register(event, note)
    try:
        with pytest.raises(BakeError, match="status 3"):
            workshop.bakery().bake(provisioning(bundle, "exit 3"))
    finally:
        workshop.region.ec2.meta.events.unregister(event, note)

    (request,) = asked
    assert request["MetadataOptions"] == {
        "HttpTokens": "required",
        "HttpEndpoint": "enabled",
        "HttpPutResponseHopLimit": 1,
    }
    (disk,) = request["BlockDeviceMappings"]
    images = workshop.region.ec2.describe_images(ImageIds=[workshop.region.base_image])["Images"]
    assert disk["DeviceName"] == images[0]["RootDeviceName"]
    assert disk["Ebs"]["Encrypted"] is True


def test_the_report_of_a_bake_that_was_killed_is_not_believed(
    workshop: Workshop, bundle: Bundle, leaves_nothing: Any
) -> None:
    failing = provisioning(bundle, "echo this one fails; exit 4")
    bakery = workshop.bakery()
    left = f"builds/{failing.build(bakery.base_image)}/report"
    workshop.region.client("s3").put_object(Bucket=workshop.bucket, Key=left, Body=b"0\nall well\n")

    with pytest.raises(BakeError, match="this one fails"):
        bakery.bake(failing)


def test_a_bundle_that_was_tampered_with_is_not_run(
    workshop: Workshop, bundle: Bundle, leaves_nothing: None
) -> None:
    changed = provisioning(bundle, "echo it ran")

    class Tampering:
        """An S3 that stores other bytes than it was given."""

        def __getattr__(self, name: str) -> Any:
            return getattr(workshop.region.client("s3"), name)

        def put_object(self, **request: Any) -> Any:
            return workshop.region.client("s3").put_object(**(request | {"Body": bundle.archive}))

    with pytest.raises(BakeError, match="did NOT match") as caught:
        workshop.bakery(s3=Tampering()).bake(changed)
    assert "it ran" not in str(caught.value)


def test_a_builder_that_powers_off_without_a_word_is_told_with_its_console(
    workshop: Workshop, bundle: Bundle, leaves_nothing: None
) -> None:
    mute = provisioning(bundle, "echo about to go; poweroff; sleep 60")

    with pytest.raises(BakeError, match=r"stopped without a report:\n(.*\n)*.*about to go"):
        workshop.bakery().bake(mute)


def test_a_builder_whose_hardware_fails_is_told_with_its_console(
    workshop: Workshop, bundle: Bundle, leaves_nothing: None
) -> None:
    def fail(sentence: str) -> None:
        builder = sentence.split()[1]
        workshop.region.await_console(builder, "still alive")
        os.kill(workshop.region.pid(builder), signal.SIGKILL)

    dying = provisioning(bundle, "echo still alive; sleep 60")

    with pytest.raises(BakeError, match=r"stopped without a report:\n(.*\n)*.*still alive"):
        workshop.bakery(say=fail).bake(dying)


def test_a_builder_that_somebody_terminates_is_not_waited_for(
    workshop: Workshop, bundle: Bundle, leaves_nothing: None
) -> None:
    def terminate(sentence: str) -> None:
        builder = sentence.split()[1]
        workshop.region.await_console(builder, "hanging")
        workshop.region.ec2.terminate_instances(InstanceIds=[builder])

    hanging = provisioning(bundle, "echo hanging; sleep 60")

    with pytest.raises(BakeError, match=r"is (shutting-down|terminated) without a report"):
        workshop.bakery(say=terminate).bake(hanging)


def test_a_builder_that_hangs_is_given_up_in_time(
    workshop: Workshop, bundle: Bundle, leaves_nothing: None
) -> None:
    hanging = provisioning(bundle, "echo hanging; sleep 60")

    with pytest.raises(BakeError, match=r"did not report within 2 s:\n(.*\n)*.*hanging"):
        workshop.bakery(patience_seconds=2.0).bake(hanging)


def test_an_image_that_is_not_waited_for_is_removed_so_that_its_name_is_free(
    workshop: Workshop, bundle: Bundle, leaves_nothing: None
) -> None:
    class Interrupted:
        """Ctrl-C at the first look at the new image."""

        def __getattr__(self, name: str) -> Any:
            return getattr(workshop.region.ec2, name)

        def describe_images(self, **request: Any) -> Any:
            if "ImageIds" in request:
                raise KeyboardInterrupt
            return workshop.region.ec2.describe_images(**request)

    bakery: Bakery = workshop.bakery(ec2=Interrupted())

    with pytest.raises(KeyboardInterrupt):
        bakery.bake(provisioning(bundle, "true"))


def test_the_command_cleans_up_when_it_is_told_to_end(
    workshop: Workshop, baked: Baked, leaves_nothing: None
) -> None:
    # On another base image, as the build on the usual one is there.
    command = python("ami", "bake", "--json", f"--base-image={baked.image}")
    with subprocess.Popen(
        command, env=workshop.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as bake:
        assert bake.stderr is not None
        assert b"boots from" in bake.stderr.readline()
        bake.terminate()
        out, _ = bake.communicate(timeout=DEADLINE)

    assert bake.returncode == 143
    assert out == b""


def test_a_bake_writes_nothing_outside_of_its_region_folder(
    workshop: Workshop, bundle: Bundle, baked: Baked, leaves_nothing: None
) -> None:
    """All bakes and boots of this file ran with the rest of the machine read-only.

    That they worked shows that they write nothing there; this shows that they would have failed.
    """
    if not workshop.confined:
        pytest.skip(_OUTSIDE)
    stray = workshop.region.state.parent / "stray"

    with pytest.raises(BakeError, match="Read-only file system"):
        workshop.bakery().bake(provisioning(bundle, f"set -e; touch {stray}"))

    assert not stray.exists()
