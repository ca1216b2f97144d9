"""Volumes whose records are missing, unreadable or older than they are: taken over, said, or left alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from instorage.volume_name import VolumeName
from tests.agent.bench import Bench, compared, device_target, pod_target, until
from tests.agent.reconciling import clean, node, vendors

if TYPE_CHECKING:
    import pytest

VOL1 = VolumeName("vol1")

__all__ = ["node"]


def test_a_volume_of_the_vendors_plugin_is_taken_over_at_unmountdevice(node: Bench) -> None:
    vendors(node)
    node.call("unmountdevice", device_target("vol1")).success()
    assert clean(node, "vol1")


def test_a_volume_of_the_vendors_plugin_gets_its_record_at_the_start(node: Bench) -> None:
    uid = vendors(node)
    node.restart()
    record = until(lambda: node.records().get(uid))
    assert record["target"] == device_target("vol1")


def test_its_record_says_whether_it_was_mounted_read_only(node: Bench) -> None:
    uid = vendors(node)
    node.helper.mounts[device_target("vol1")] = (uid, True)
    node.restart()
    assert until(lambda: node.records().get(uid))["read_only"] is True


def test_one_that_a_pods_directory_alone_shows_gets_its_record_too(node: Bench) -> None:
    uid = vendors(node)
    node.helper.mounts = {pod_target("vol1"): (uid, False)}
    node.restart()
    assert "target" not in until(lambda: node.records().get(uid))
    node.call("unmount", pod_target("vol1")).success()
    until(lambda: clean(node, "vol1"))


def test_a_mount_under_another_name_is_not_taken_over(node: Bench) -> None:
    uid = vendors(node, target="other")
    node.call("unmountdevice", device_target("other")).failure("left mapped")
    assert node.maps("vol1") == ["iscsi-node1"]
    assert uid in node.helper.devices


def test_a_name_that_was_given_to_another_volume_is_not_unmapped(node: Bench) -> None:
    old = node.create("vol1")
    node.attach("vol1").success()
    node.mount_device("vol1").success()
    node.array.unmap_volume(VOL1, "iscsi-node1")
    node.array.delete_volume(VOL1)
    assert node.create("vol1") != old
    node.map("vol1", "iscsi-node1")
    node.call("unmountdevice", device_target("vol1")).success()
    assert node.maps("vol1") == ["iscsi-node1"]
    assert node.records() == {}


def test_records_that_cannot_be_read_are_left_where_they_are(node: Bench) -> None:
    directory = node.directory / "state/volumes"
    node.stop()
    texts = {
        "6" + "0" * 31: "{ half a rec",
        "6" + "1" * 31: json.dumps({"schema": 99}),
        "notes.txt": "hand-made",
    }
    for name, text in texts.items():
        (directory / name).write_text(text)
    node.start()
    node.call("init").success()
    assert {path.name: path.read_text() for path in directory.iterdir()} == texts


def test_a_volume_without_a_record_is_said_and_never_touched(
    node: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    uid = node.create("vol1")
    node.make_host("iscsi-node1")
    node.map("vol1", "iscsi-node1")
    node.helper.devices[uid] = "/dev/disk/by-id/x"
    node.restart()
    until(lambda: f"{uid} is on this host without a record" in caplog.text)
    until(lambda: node.agent._reconciler.idle())
    assert "Detach" not in node.helper.verbs()
    assert node.maps("vol1") == ["iscsi-node1"]


def test_what_an_array_maps_here_without_a_record_is_said_and_left(
    node: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    node.create("boot-lun")
    node.make_host("iscsi-node1")
    node.map("boot-lun", "iscsi-node1")
    node.create("vol1")
    node.attach("vol1").success()
    node.mount_device("vol1").success()
    node.restart()
    until(lambda: "maps volume boot-lun to this host (iscsi-node1)" in caplog.text)
    assert "vol1 to this host" not in caplog.text
    assert node.maps("boot-lun") == ["iscsi-node1"]


def test_a_recorded_volume_that_was_unmapped_from_outside_is_said(
    node: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    node.create("vol1")
    node.attach("vol1").success()
    node.mount_device("vol1").success()
    node.array.unmap_volume(VolumeName("vol1"), "iscsi-node1")
    node.restart()
    until(lambda: "no longer maps volume vol1 to this host" in caplog.text)
    assert node.helper.mounts, "a running pod's mount is not touched"


def test_the_record_of_a_format_goes_when_no_array_has_the_volume(node: Bench) -> None:
    kept, gone = node.create("vol1"), {"6" + digit * 31 for digit in "abcdef"}
    node.helper.formatting = {kept, *gone}
    node.restart()
    until(lambda: node.helper.formatting == {kept})


def test_the_record_of_a_format_stays_while_an_array_cannot_be_asked(
    node: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    gone = "6" + "e" * 31
    node.helper.formatting = {gone}
    node.do("fault", command="lsvdisk", times=0, error="CMMVC5802E")
    node.restart()
    until(lambda: "could not be compared" in caplog.text)
    assert node.helper.formatting == {gone}


def test_one_answer_that_a_volume_is_gone_is_not_enough(node: Bench) -> None:
    kept = node.create("vol1")
    node.helper.formatting = {kept}
    node.do("fault", command="lsvdisk", times=2, empty=True)  # two: the client itself does not believe one
    looks = len(node.helper.calls)
    node.restart()
    until(lambda: node.commands().count("lsvdisk") >= 3 and len(node.helper.calls) > looks)
    compared()
    assert node.helper.formatting == {kept}
