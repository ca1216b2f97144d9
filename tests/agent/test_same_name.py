"""Two arrays with a volume of one name: no pod gets the other array's file system, whatever kubelet calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.arrays.as18000 import As18000
from instorage.arrays.endpoint import Endpoint
from instorage.arrays.model import VolumeSpec
from instorage.volume_name import VolumeName
from instorage.wire.values import Bytes
from tests.agent.bench import GIB, NODE, POD, Bench, device_target, options, pod_target
from tests.agent.test_two_arrays import maps, second

if TYPE_CHECKING:
    from simulator.array import Simulator

__all__ = ["second"]
OTHER_POD = "531a7251-1df7-43a7-b81a-9e1d775a898e"
HERE = options("data")
THERE = options("data", storageName="storage-02")


def create_there(bench: Bench, array: Simulator, name: str = "data") -> None:
    port = int(array.address.rpartition(":")[2])
    client = As18000(
        Endpoint("storage-02", "127.0.0.1", port, "superuser", lambda: "passw0rd"),
        bench.directory / "known_hosts2",
    )
    client.create_volume(VolumeSpec(VolumeName(name), Bytes(GIB), ("Pool0",)))
    client.close()


@pytest.fixture
def both(bench: Bench, second: Simulator) -> Simulator:
    """The second array; «data» is on both, and that of the first is mounted for a pod."""
    bench.create("data")
    create_there(bench, second)
    bench.attach("data", HERE).success()
    bench.mount_device("data", HERE).success()
    bench.call("mount", pod_target("data"), HERE).success()
    return second


def said(sentence: str) -> None:
    for word in ("storage-01", "storage-02", "UID", "end the pods"):
        assert word in sentence, sentence


def test_a_second_pod_is_not_given_the_other_arrays_volume_of_that_name(
    bench: Bench, both: Simulator
) -> None:
    answer = bench.call("mount", pod_target("data", OTHER_POD), THERE)
    said(str(answer.failure("storage-02")))
    assert pod_target("data", OTHER_POD) not in bench.helper.mounts
    assert pod_target("data", POD) in bench.helper.mounts


def test_the_other_arrays_volume_is_not_even_mapped_while_its_place_is_taken(
    bench: Bench, both: Simulator
) -> None:
    said(str(bench.call("waitforattach", NODE, THERE).failure("storage-02")))
    assert maps(both, "data") == []
    assert bench.maps("data") == ["iscsi-node1"]


def test_when_its_pods_are_gone_the_other_has_the_place(bench: Bench, both: Simulator) -> None:
    bench.call("waitforattach", NODE, THERE).failure("storage-02")
    bench.call("unmount", pod_target("data")).success()
    bench.call("unmountdevice", device_target("data")).success()
    bench.call("waitforattach", NODE, THERE).success()
    bench.mount_device("data", THERE).success()
    bench.call("mount", pod_target("data", OTHER_POD), THERE).success()
    assert (bench.maps("data"), maps(both, "data")) == ([], ["iscsi-node1"])


def test_the_same_volume_is_shared_by_pods_of_the_node_without_a_question_to_the_array(
    bench: Bench, both: Simulator
) -> None:
    before = bench.commands()
    bench.call("mount", pod_target("data", OTHER_POD), HERE).success()
    assert bench.commands() == before


def test_what_is_mounted_without_a_record_is_bound_only_if_it_is_what_the_array_has(
    bench: Bench, both: Simulator
) -> None:
    """Records were lost; the helper knows what lies under the mount."""
    for uid in list(bench.records()):
        (bench.paths.state / "volumes" / uid).unlink()
    bench.restart()
    answer = bench.call("mount", pod_target("data", OTHER_POD), THERE)
    answer.failure("not")
    assert pod_target("data", OTHER_POD) not in bench.helper.mounts
    bench.call("mount", pod_target("data", OTHER_POD), HERE).success()


@pytest.fixture
def whole(bench: Bench, second: Simulator) -> Simulator:
    (bench.paths.plugin / ".attach").write_text("false\n")
    bench.restart()
    bench.create("data")
    create_there(bench, second)
    bench.call("mount", pod_target("data"), HERE).success()
    return second


def test_with_attach_false_neither_is_it_mapped_nor_bound(bench: Bench, whole: Simulator) -> None:
    said(str(bench.call("mount", pod_target("data", OTHER_POD), THERE).failure("storage-02")))
    assert maps(whole, "data") == []
    assert pod_target("data", OTHER_POD) not in bench.helper.mounts
