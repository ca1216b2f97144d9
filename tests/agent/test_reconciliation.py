"""What is left behind is settled by the agent itself; what is in use or not its own is left alone."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from tests.agent.bench import Bench, device_target, until
from tests.agent.helper_peer import FaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def node(directory: Path, portal: Callable[[], str]) -> Iterator[Bench]:
    """A node whose agent waits 0.3 s instead of 30 s after the last call."""
    bench = Bench(directory, {1: portal(), 2: portal()}, rest=0.3)
    bench.start()
    yield bench
    bench.close()


def clean(bench: Bench, volume: str) -> bool:
    return not bench.maps(volume) and not bench.records() and not bench.helper.devices


def test_an_attach_that_kubelet_gave_up_is_taken_down(node: Bench) -> None:
    node.create("vol1")
    node.attach("vol1").success()
    until(lambda: clean(node, "vol1"))


def test_a_mounted_volume_is_left_alone_and_nothing_wakes_up(node: Bench) -> None:
    node.create("vol1")
    node.attach("vol1").success()
    node.mount_device("vol1").success()
    assert node.agent._reconciler.idle()
    before = len(node.helper.calls)
    node.create("vol2")
    node.attach("vol2").success()
    until(lambda: clean_of(node, "vol2"))
    assert all(call.get("uid") != uid_of(node, "vol1") for _, call in node.helper.calls[before:])
    assert node.maps("vol1") == ["iscsi-node1"]


def clean_of(bench: Bench, volume: str) -> bool:
    return not bench.maps(volume) and all(record["name"] != volume for record in bench.records().values())


def uid_of(bench: Bench, volume: str) -> str:
    return next(uid for uid, record in bench.records().items() if record["name"] == volume)


def test_a_failed_unmount_is_finished_when_the_trouble_is_over(node: Bench) -> None:
    node.create("vol1")
    node.attach("vol1").success()
    node.mount_device("vol1").success()
    node.helper.script("Detach", fault=FaultError("device-busy", "Held by process 9."))
    node.call("unmountdevice", device_target("vol1")).failure("process 9")
    assert node.maps("vol1") == ["iscsi-node1"]
    until(lambda: clean(node, "vol1"))


def test_a_helper_that_died_within_an_attach_leaves_nothing_for_long(node: Bench) -> None:
    node.create("vol1")
    node.helper.script("Attach", dies=True)
    node.helper.script("Detach", dies=True)
    node.attach("vol1").failure("during Attach")
    until(lambda: clean(node, "vol1"))


def test_a_volume_in_use_without_a_mount_record_is_never_unmapped(node: Bench) -> None:
    uid = node.create("vol1")
    node.attach("vol1").success()
    node.helper.mounts["/mnt/by-hand"] = (uid, False)
    until(lambda: node.helper.verbs().count("Inspect") > 2 and node.agent._reconciler.idle())
    assert node.maps("vol1") == ["iscsi-node1"]


def test_after_a_reboot_volumes_are_taken_down_before_ready(node: Bench) -> None:
    node.create("vol1")
    node.attach("vol1").success()
    node.mount_device("vol1").success()

    def reboot() -> None:
        node.helper.mounts.clear()
        node.set_boot("22222222-boot")

    node.restart(reboot)
    node.call("init").success()
    assert clean(node, "vol1")


def test_after_a_reboot_without_the_array_the_agent_is_ready_and_goes_on_later(
    node: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodeagent.__main__.READY_SECONDS", 1.0)
    node.create("vol1")
    node.attach("vol1").success()
    node.mount_device("vol1").success()
    node.do("fault", command="*", times=0, before="silence")

    def reboot() -> None:
        node.helper.mounts.clear()
        node.set_boot("22222222-boot")

    node.restart(reboot)
    assert node.call("init").success().seconds < 5
    assert node.records()
    node.do("clear")
    node.do("drop-connections")
    until(lambda: clean(node, "vol1"), 30)


def test_a_mounted_volume_survives_a_restart_of_the_agent(node: Bench) -> None:
    node.create("vol1")
    node.attach("vol1").success()
    node.mount_device("vol1").success()
    node.restart()
    until(lambda: node.agent._reconciler.idle())
    assert node.helper.mounts
    node.call("unmountdevice", device_target("vol1")).success()
    assert clean(node, "vol1")


def test_a_volume_of_the_vendors_plugin_is_taken_over_at_unmountdevice(node: Bench) -> None:
    uid = node.create("vol1")
    node.make_host("iscsi-node1")
    node.map("vol1", "iscsi-node1")
    node.helper.devices[uid] = "/dev/disk/by-id/x"
    node.helper.mounts[device_target("vol1")] = (uid, False)
    node.call("unmountdevice", device_target("vol1")).success()
    assert clean(node, "vol1")


def test_a_volume_of_the_vendors_plugin_gets_its_record_at_the_start(node: Bench) -> None:
    uid = node.create("vol1")
    node.make_host("iscsi-node1")
    node.map("vol1", "iscsi-node1")
    node.helper.devices[uid] = "/dev/disk/by-id/x"
    node.helper.mounts[device_target("vol1")] = (uid, False)
    node.restart()
    record = until(lambda: node.records().get(uid))
    assert record["target"] == device_target("vol1")


def test_a_mount_under_another_name_is_not_taken_over(node: Bench) -> None:
    uid = node.create("vol1")
    node.make_host("iscsi-node1")
    node.map("vol1", "iscsi-node1")
    node.helper.devices[uid] = "/dev/disk/by-id/x"
    node.helper.mounts[device_target("other")] = (uid, False)
    node.call("unmountdevice", device_target("other")).failure("left mapped")
    assert node.maps("vol1") == ["iscsi-node1"]
    assert uid in node.helper.devices


def test_a_name_that_was_given_to_another_volume_is_not_unmapped(node: Bench) -> None:
    old = node.create("vol1")
    node.attach("vol1").success()
    node.mount_device("vol1").success()
    node.array.unmap_volume("vol1", "iscsi-node1")
    node.array.delete_volume("vol1")
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


def test_a_barrier_stops_reconciliation(node: Bench) -> None:
    node.create("vol1")
    barrier = node.paths.plugin / "aa-extend-failure.barrier"
    node.helper.script("Attach", dies=True)
    node.helper.script("Detach", dies=True)
    node.attach("vol1").failure()
    barrier.write_text("")
    until(lambda: node.agent._reconciler._failures)
    assert node.maps("vol1") == ["iscsi-node1"]
    barrier.unlink()
    until(lambda: clean(node, "vol1"))


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


def test_one_failure_is_tried_again_after_the_usual_rest_and_each_further_one_later(bench: Bench) -> None:
    uid = bench.create("vol1")
    bench.attach("vol1").success()
    reconciler, record = bench.agent._reconciler, bench.agent._node.records.get(uid)
    pauses = []
    for _ in range(3):
        began = time.monotonic()
        reconciler._later(record, Fault(Code.DEVICE_BUSY, "Held."))
        pauses.append(round(reconciler._due[uid] - began))
    assert pauses == [30, 60, 120]


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
    until(lambda: not any(one.name == "comparison" for one in threading.enumerate()))
    assert node.helper.formatting == {kept}
