"""One volume's life on a node, call by call, as kubelet 1.20 makes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.agent.bench import NODE, POD, RECORDED, compared, device_target, options, pod_target, until

if TYPE_CHECKING:
    from tests.agent.bench import Bench

VOLUME = "pvc-716cd0bb-e993-4dd3-96e4-3f620a9eced8"


def recorded() -> list[list[str]]:
    """Argument lists of kubelet and kcm in the scenario with attach:true."""
    calls = []
    for line in RECORDED.read_text().splitlines():
        entry = json.loads(line)
        if entry.get("scenario", "a") != "a":
            break
        if "argv" in entry:
            calls.append(entry["argv"])
    return calls


def test_recorded_calls_of_a_pod_all_succeed(bench: Bench) -> None:
    bench.create(VOLUME)
    seen = set()
    for argv in recorded():
        reply = bench.call(*argv)
        seen.add(argv[0])
        if argv[0] in ("getvolumename", "attach", "isattached"):
            assert reply.answer["status"] == "Not supported"
        elif argv[0] == "expandfs":
            assert reply.success().answer["volumeNewSize"] == int(argv[4])
        else:
            reply.success()
    assert {"init", "waitforattach", "mountdevice", "mount", "unmount", "unmountdevice", "detach"} <= seen
    assert "expandfs" in seen
    assert bench.maps(VOLUME) == []
    assert bench.records() == {}
    assert bench.helper.mounts == {}


def test_the_device_name_is_stable_and_the_mount_is_the_pods(bench: Bench) -> None:
    uid = bench.create(VOLUME)
    device = bench.attach(VOLUME).success().answer["device"]
    assert device == f"/dev/disk/by-id/dm-uuid-mpath-3{uid}"
    bench.mount_device(VOLUME).success()
    bench.call("mount", pod_target(VOLUME), options(VOLUME)).success()
    assert bench.helper.last("Bind")["source"] == device_target(VOLUME)
    assert set(bench.helper.mounts) == {device_target(VOLUME), pod_target(VOLUME)}


def test_the_record_is_on_the_disk_before_the_array_maps(bench: Bench) -> None:
    uid = bench.create(VOLUME)
    bench.do("fault", command="mkvdiskhostmap", delay=0.5)
    stub = bench.begin("waitforattach", "", options(VOLUME))
    until(lambda: uid in bench.records())
    assert bench.maps(VOLUME) == []
    stub.reply().success()
    record = bench.records()[uid]
    assert record["name"] == VOLUME
    assert record["storage"] == "storage-01"
    assert record["host"] == "iscsi-node1"


def test_an_attach_costs_four_array_commands_and_each_call_that_ends_it_three(bench: Bench) -> None:
    bench.create("warm")
    bench.create(VOLUME)
    bench.attach("warm").success()
    bench.reset()
    bench.attach(VOLUME).success()
    bench.mount_device(VOLUME).success()
    assert bench.commands() == ["lsvdisk", "mkvdiskhostmap", "lsvdiskhostmap", "lsvdisk"]
    bench.reset()
    bench.call("unmountdevice", device_target(VOLUME)).success()
    assert bench.commands() == ["lsvdisk", "lsvdiskhostmap", "rmvdiskhostmap"]
    bench.reset()
    bench.call("detach", VOLUME, NODE).success()
    assert bench.commands() == ["lsvdisk", *["lsvdiskhostmap"] * 2], "one empty answer is not believed"


def test_devices_are_gone_before_the_array_unmaps(bench: Bench) -> None:
    uid = bench.create(VOLUME)
    bench.attach(VOLUME).success()
    bench.mount_device(VOLUME).success()
    order: list[tuple[str, bool]] = []
    bench.helper._seen = lambda verb: order.append((verb, bool(bench.maps(VOLUME))))
    bench.call("unmountdevice", device_target(VOLUME)).success()
    assert [verb for verb, _ in order] == ["Lock", "Inspect", "Unmount", "Detach"]
    assert all(mapped for _, mapped in order)
    assert bench.maps(VOLUME) == []
    assert uid not in bench.helper.devices
    until(lambda: bench.helper.locks == 0)


def test_a_second_pod_finds_the_volume_attached(bench: Bench) -> None:
    bench.create(VOLUME)
    bench.attach(VOLUME).success()
    bench.mount_device(VOLUME).success()
    bench.reset()
    bench.attach(VOLUME).success()
    assert bench.commands() == ["lsvdisk", "lsvdiskhostmap"]
    second = POD.replace("431a", "531a")
    bench.call("mount", pod_target(VOLUME, second), options(VOLUME)).success()
    assert len(bench.helper.mounts) == 2


def test_a_volume_that_was_never_here_unmounts_with_success(bench: Bench) -> None:
    bench.call("unmount", pod_target(VOLUME)).success()
    bench.call("unmountdevice", device_target(VOLUME)).success()


def test_an_unmount_after_the_mount_is_gone_goes_by_the_record(bench: Bench) -> None:
    bench.create(VOLUME)
    bench.attach(VOLUME).success()
    bench.mount_device(VOLUME).success()
    bench.helper.mounts.clear()
    bench.call("unmountdevice", device_target(VOLUME)).success()
    assert bench.maps(VOLUME) == []
    assert bench.records() == {}


def test_the_helper_starts_while_the_array_is_asked_for_the_volume(bench: Bench) -> None:
    """A helper that has left takes a third of a second to start, as an array to answer."""
    bench.create(VOLUME)
    compared()
    until(lambda: not bench.helper.connected)
    asked = len(bench.helper.verbs())
    bench.do("fault", command="lsvdisk", delay=15.0, times=0)
    stub = bench.begin("waitforattach", "", options(VOLUME))
    until(lambda: bench.helper.connected)
    assert len(bench.helper.verbs()) == asked
    bench.do("clear")
    stub.reply().success()


def test_without_a_helper_the_array_is_asked_and_the_failure_is_the_same(bench: Bench) -> None:
    bench.create(VOLUME)
    bench.helper.stop()
    bench.attach(VOLUME).failure("instorage-helper.socket")
