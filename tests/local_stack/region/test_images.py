from pathlib import Path

import pytest

from gridwell.engine.errors import ServiceError
from gridwell.local_stack.region.images import ImageRecord, ImageStore, copy_disk
from tests.local_stack.conftest import running_region

RECORD = ImageRecord(image_id="ami-1", name="one", created="2026-01-01T00:00:00", tags={"a": "b"})


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    disk = tmp_path / "disk"
    for path in ("venv/lib/site-packages/pkg/module.py", "notes.log", "run/env"):
        (disk / path).parent.mkdir(parents=True, exist_ok=True)
        (disk / path).write_text(path)
    (disk / "link").symlink_to("notes.log")
    return disk


def test_installed_packages_are_linked_and_all_else_is_copied(tmp_path: Path, disk: Path) -> None:
    copy = tmp_path / "copy"
    copy_disk(disk, copy)

    package = "venv/lib/site-packages/pkg/module.py"
    assert (copy / package).samefile(disk / package)
    assert not (copy / "notes.log").samefile(disk / "notes.log")
    assert (copy / "link").readlink() == Path("notes.log")
    assert not (copy / "run").exists()


def test_a_machine_that_appends_to_a_file_leaves_its_image_alone(
    tmp_path: Path, disk: Path
) -> None:
    store = ImageStore(tmp_path / "images")
    store.add(RECORD, disk)
    copy_disk(store.disk("ami-1"), tmp_path / "instance")

    with (tmp_path / "instance/notes.log").open("a") as log:
        log.write("more")

    assert (store.disk("ami-1") / "notes.log").read_text() == "notes.log"


def test_images_are_found_again_with_their_tags(tmp_path: Path, disk: Path) -> None:
    ImageStore(tmp_path / "images").add(RECORD, disk)
    ImageStore(tmp_path / "images").retag("ami-1", {"c": "d"})

    (found,) = ImageStore(tmp_path / "images").records()

    assert (found.image_id, found.name, found.tags) == ("ami-1", "one", {"c": "d"})


def test_a_copy_that_was_cut_short_is_no_image(tmp_path: Path) -> None:
    partial = tmp_path / "images/ami-2.partial"
    partial.mkdir(parents=True)

    store = ImageStore(tmp_path / "images")

    assert store.records() == []
    assert not partial.exists()


def test_an_unreadable_record_says_what_to_do(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "images")
    (tmp_path / "images/ami-3.json").write_text("{}")

    with pytest.raises(ServiceError, match="delete it and the folder"):
        store.records()


def test_a_removed_image_is_gone(tmp_path: Path, disk: Path) -> None:
    store = ImageStore(tmp_path / "images")
    store.add(RECORD, disk)

    store.remove("ami-1")

    assert store.records() == []
    assert not store.disk("ami-1").exists()


def test_a_baked_image_is_found_by_its_tag_after_a_restart(tmp_path: Path) -> None:
    tags = [{"Key": "gridwell:build", "Value": "abc"}]
    leftover = tmp_path / "instances/i-dead"
    leftover.mkdir(parents=True)
    with running_region(tmp_path) as region:
        assert not leftover.exists()
        builder = region.launch(UserData="#!/bin/sh\necho 1 > $GRIDWELL_HOME/baked\npoweroff\n")
        region.await_state(builder, "stopped")
        image = region.ec2.create_image(
            InstanceId=builder,
            Name="baked",
            TagSpecifications=[{"ResourceType": "image", "Tags": tags}],
        )["ImageId"]
        region.ec2.create_tags(Resources=[image], Tags=[{"Key": "later", "Value": "yes"}])
        region.ec2.get_waiter("image_available").wait(
            ImageIds=[image], WaiterConfig={"Delay": 0, "MaxAttempts": 500}
        )

    with running_region(tmp_path) as region:
        (found,) = region.ec2.describe_images(
            Owners=["self"], Filters=[{"Name": "tag:gridwell:build", "Values": ["abc"]}]
        )["Images"]
        assert (found["ImageId"], found["Name"], found["State"]) == (image, "baked", "available")
        assert {"Key": "later", "Value": "yes"} in found["Tags"]
        instance = region.launch(ImageId=image, UserData="#!/bin/sh\nls $GRIDWELL_HOME\n")
        region.await_console(instance, "baked")
