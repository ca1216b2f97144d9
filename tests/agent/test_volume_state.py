"""What a volume is found to be (new, written, shared, left over, barred) decides what is done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.volume_name import VolumeName
from tests.agent.bench import device_target, options, pod_target
from tests.agent.helper_peer import FaultError

if TYPE_CHECKING:
    from tests.agent.bench import Bench

VOL1 = VolumeName("vol1")


def test_a_written_thin_volume_is_never_said_to_be_new(bench: Bench) -> None:
    bench.create("vol1", size=100 << 30)
    bench.attach("vol1").success()
    bench.do("used", volume="vol1", bytes=2 << 30)
    bench.mount_device("vol1").failure("Not proven new")
    assert bench.helper.last("Mount")["may_format"] is False


@pytest.mark.parametrize("thin", [True, False])
def test_a_fresh_volume_may_be_formatted(bench: Bench, thin: bool) -> None:
    bench.create("vol1", thin=thin)
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    assert bench.helper.last("Mount")["may_format"] is True


def test_a_first_use_read_only_is_not_formatted(bench: Bench) -> None:
    bench.create("vol1")
    bench.attach("vol1", options("vol1", "ro")).success()
    bench.mount_device("vol1", options("vol1", "ro")).failure()
    assert bench.helper.last("Mount")["may_format"] is False
    assert bench.helper.last("Mount")["read_only"] is True


def test_mountdevice_refuses_when_another_host_has_been_let_in(bench: Bench) -> None:
    uid = bench.create("vol1")
    bench.attach("vol1").success()
    bench.restart()
    bench.make_host("iscsi-other", "iqn.1993-08.org.debian:01:other")
    bench.map("vol1", "iscsi-other", share=True)
    bench.mount_device("vol1").failure("iscsi-other")
    assert uid not in bench.helper.formatted


def test_a_writer_over_a_read_only_mount_is_refused_by_the_pods_name(bench: Bench) -> None:
    bench.helper.formatted.add(bench.create("vol1"))
    bench.attach("vol1", options("vol1", "ro")).success()
    bench.mount_device("vol1", options("vol1", "ro")).success()
    bench.call("mount", pod_target("vol1"), options("vol1", "ro")).success()
    bench.attach("vol1").success()
    second = "531a7251-1df7-43a7-b81a-9e1d775a898e"
    bench.call("mount", pod_target("vol1", second), options("vol1")).failure("431a7251")
    bench.call("mount", pod_target("vol1", second), options("vol1", "ro")).success()


def test_many_readers_share_a_volume_and_writers_are_refused(bench: Bench) -> None:
    bench.helper.formatted.add(bench.create("vol1"))
    bench.make_host("iscsi-other", "iqn.1993-08.org.debian:01:other")
    bench.map("vol1", "iscsi-other")
    shared = options("vol1", "ro", readers="many")
    bench.attach("vol1", shared).success()
    bench.mount_device("vol1", shared).success()
    assert bench.helper.last("Mount")["shared"] is True
    assert sorted(bench.maps("vol1")) == ["iscsi-node1", "iscsi-other"]
    bench.attach("vol1", options("vol1", readers="many")).failure("readers: many")


def test_a_volume_that_is_no_pair_although_its_pv_says_so_is_refused_for_writers(bench: Bench) -> None:
    bench.create("vol1")
    bench.attach("vol1", options("vol1", volLevel="aa")).failure("should be aa")
    bench.attach("vol1", options("vol1", volLevel="mirror")).success()  # a copy may come or go


def test_what_is_left_of_an_older_attach_is_taken_down_before_mapping(bench: Bench) -> None:
    uid = bench.create("vol1")
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    bench.array.unmap_volume(VOL1, "iscsi-node1")  # fenced
    bench.reset()
    bench.attach("vol1").success()
    order = [verb for verb in bench.order if verb in ("Unmount", "Detach", "Attach")]
    assert order == ["Unmount", "Detach", "Attach"]
    assert bench.helper.last("Unmount")["unmapped"], "else it would be unmounted on the array's word alone"
    commands = bench.commands()
    assert commands.index("lshostvdiskmap") < commands.index("mkvdiskhostmap"), (
        "unmapped was believed at once"
    )
    assert bench.maps("vol1") == ["iscsi-node1"]
    assert bench.helper.mounts == {}
    assert uid in bench.records()


def test_one_empty_answer_of_the_array_takes_no_mount_down(bench: Bench) -> None:
    bench.create("vol1")
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    bench.do("fault", command="lsvdiskhostmap", empty=True, times=2)  # the client itself does not believe one
    bench.attach("vol1").success()
    assert bench.helper.mounts
    assert "Detach" not in bench.helper.verbs()


def test_a_left_over_that_is_in_use_stops_the_attach_and_names_the_holder(bench: Bench) -> None:
    uid = bench.create("vol1")
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    bench.array.unmap_volume(VOL1, "iscsi-node1")
    bench.helper.script("Unmount", fault=FaultError("device-busy", f"Volume {uid} is used by process 77."))
    bench.attach("vol1").failure("process 77")
    assert bench.maps("vol1") == []


def test_the_barrier_file_stops_attach_and_detach(bench: Bench) -> None:
    bench.create("vol1")
    bench.attach("vol1").success()
    barrier = bench.paths.plugin / "aa-extend-failure.barrier"
    barrier.write_text("step 3 of 9")
    bench.attach("vol1").failure(str(barrier))
    bench.call("unmountdevice", device_target("vol1")).failure(str(barrier))
    barrier.unlink()
    bench.call("unmountdevice", device_target("vol1")).success()
