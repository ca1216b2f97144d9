"""Volumes without a record, the vendor's above all: none is unmounted before it is known whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.volume_name import VolumeName
from tests.agent.bench import Bench, device_target, pod_target, until
from tests.agent.reconciling import node, vendors
from tests.agent.test_where_it_is_mapped import GONE, arrays, clean, end

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

VOL1 = VolumeName("vol1")

__all__ = ["node"]


def test_an_unrelated_array_that_is_away_keeps_no_volume(node: Bench) -> None:
    vendors(node)
    arrays(node, ("storage-01", node.port), first=GONE)
    end(node).success()
    assert clean(node)


def test_a_volume_whose_array_is_away_stays_mounted_until_it_answers(node: Bench) -> None:
    uid = vendors(node)
    arrays(node, ("storage-01", 1))
    for _ in range(2):  # kubelet's repetition must not be a success either
        end(node).failure("storage-01")
    assert "Unmount" not in node.helper.verbs()
    assert node.helper.mounts
    assert uid in node.helper.devices
    node.configure()
    end(node).success()
    assert clean(node)


def test_it_is_taken_over_without_a_further_call_once_the_array_answers(node: Bench) -> None:
    uid = vendors(node)
    node.helper.mounts[pod_target("vol1")] = (uid, False)
    arrays(node, ("storage-01", 1))
    end(node).failure("storage-01")
    node.configure()
    assert until(lambda: node.records().get(uid))["target"] == device_target("vol1")
    until(lambda: node.agent._reconciler.idle())
    assert node.helper.mounts, "it is in use"


def test_one_array_that_is_away_keeps_no_other_volume_from_being_taken_over_at_the_start(node: Bench) -> None:
    first, second = sorted((vendors(node, "vol1"), vendors(node, "vol2")))
    strange = "6" + "0" * 31  # of the array that is away, and looked at first
    node.helper.devices[strange] = "/dev/disk/by-id/y"
    node.helper.mounts[device_target("vol0")] = (strange, False)
    node.restart(lambda: arrays(node, ("storage-01", node.port), first=GONE))
    until(lambda: {first, second} <= node.records().keys())
    assert strange not in node.records()


def test_what_could_not_be_taken_over_at_the_start_is_tried_again(node: Bench) -> None:
    uid = vendors(node)
    node.restart(lambda: arrays(node, ("storage-01", 1)))
    until(lambda: node.agent._reconciler._failures._in_a_row)
    assert node.records() == {}
    node.configure()
    until(lambda: uid in node.records())


def test_a_helper_that_does_not_answer_once_does_not_end_the_adoption(node: Bench) -> None:
    uid = vendors(node)
    node.restart(lambda: node.helper.script("Inspect", dies=True))
    until(lambda: uid in node.records())


def test_a_mount_of_another_name_is_not_unmounted(node: Bench) -> None:
    uid = vendors(node)
    node.helper.mounts = {device_target("other"): (uid, False)}
    for _ in range(2):
        end(node, "other").failure("left mapped")
    assert device_target("other") in node.helper.mounts
    assert node.maps("vol1") == ["iscsi-node1"]


def test_the_mount_of_a_volume_that_was_deleted_is_removed(node: Bench) -> None:
    vendors(node)
    assert node.mapped(next(iter(node.helper.devices)))
    node.array.unmap_volume(VOL1, "iscsi-node1")
    node.array.delete_volume(VOL1)
    end(node).success()
    assert node.helper.mounts == {}
    assert node.helper.devices == {}


def test_a_volume_beside_a_record_of_the_same_name_is_the_one_that_is_taken_down(node: Bench) -> None:
    """The record is of another volume of that name, which is not what is mounted."""
    node.create("vol1")
    node.attach("vol1").success()
    node.mount_device("vol1").success()
    strange = "6" + "0" * 31
    node.helper.devices[strange] = "/dev/disk/by-id/y"
    node.helper.mounts[device_target("vol1")] = (strange, False)
    end(node).failure(strange)
    assert node.helper.mounts[device_target("vol1")][0] == strange
    assert "Detach" not in node.helper.verbs()


def looked_at_after(node: Bench, act: Callable[[], object]) -> None:
    before = node.helper.verbs().count("Inspect")
    act()
    until(lambda: node.helper.verbs().count("Inspect") > before)


def test_what_is_left_alone_is_said_once(node: Bench, caplog: pytest.LogCaptureFixture) -> None:
    node.stop()
    strange = "6" + "0" * 31
    node.helper.devices[strange] = "/dev/disk/by-id/y"
    node.helper.mounts[device_target("-x")] = (strange, False)
    node.start()
    for _ in range(3):
        looked_at_after(node, lambda: node.attach("nosuch").failure("has no volume nosuch"))
    until(lambda: node.agent._reconciler.idle())
    assert caplog.text.count(f"{strange} is on this host without a record") == 1
    assert node.helper.mounts


def test_a_host_without_a_helper_looks_for_nothing(node: Bench) -> None:
    node.helper.stop()
    node.restart()
    node.call("init").success()
    assert node.agent._reconciler.idle()
    node.helper.start()


def test_without_attach_a_pods_end_is_finished_once_the_array_answers(node: Bench) -> None:
    node.paths.plugin.joinpath(".attach").write_text("false\n")
    vendors(node)
    node.helper.mounts[pod_target("vol1")] = node.helper.mounts[device_target("vol1")]
    node.restart(lambda: arrays(node, ("storage-01", 1)))
    node.call("unmount", pod_target("vol1")).failure("storage-01")
    assert list(node.helper.mounts) == [device_target("vol1")], "the pod has ended"
    assert node.helper.devices
    node.configure()
    until(lambda: clean(node))
