"""An array that says «not mapped» takes nothing from a pod on its word alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.volume_name import VolumeName
from tests.agent.bench import until

if TYPE_CHECKING:
    from tests.agent.bench import Bench

VOL1 = VolumeName("vol1")


@pytest.fixture
def uid(bench: Bench) -> str:
    """A volume that a pod uses."""
    found = bench.create("vol1")
    bench.use("vol1")
    bench.reset()
    return found


def hesitate(bench: Bench) -> None:
    """Have the array show no mapping in each of both views, once more than its client believes."""
    for command in ("lsvdiskhostmap", "lshostvdiskmap"):
        bench.do("fault", command=command, empty=True, times=2)


def test_a_running_pod_keeps_its_mounts_while_the_array_hesitates(bench: Bench, uid: str) -> None:
    mounts = dict(bench.helper.mounts)
    hesitate(bench)
    bench.attach("vol1").failure("not every path says that its LUN is gone")
    assert bench.helper.mounts == mounts
    assert "Detach" not in bench.helper.verbs()
    assert bench.maps("vol1") == ["iscsi-node1"]
    assert uid in bench.records()
    until(lambda: bench.helper.locks == 0)
    bench.attach("vol1").success()
    assert bench.helper.mounts == mounts
    assert "mkvdiskhostmap" not in bench.commands()


def test_a_fenced_volume_that_a_container_holds_keeps_its_mounts_and_names_the_holder(
    bench: Bench, uid: str
) -> None:
    mounts = dict(bench.helper.mounts)
    bench.array.unmap_volume(VOL1, "iscsi-node1")
    bench.helper.foreign.add(uid)
    for _ in range(2):
        bench.attach("vol1").failure("process 4711")
    assert bench.helper.mounts == mounts
    assert bench.maps("vol1") == []
    bench.helper.foreign.clear()
    bench.attach("vol1").success()
    assert bench.helper.mounts == {}


def test_a_fenced_volume_is_taken_down_and_attached_anew(bench: Bench, uid: str) -> None:
    bench.array.unmap_volume(VOL1, "iscsi-node1")
    bench.attach("vol1").success()
    order = [verb for verb in bench.order if verb in ("Unmount", "Detach", "Attach")]
    assert order == ["Unmount", "Unmount", "Detach", "Attach"]
    assert bench.helper.mounts == {}
    assert bench.maps("vol1") == ["iscsi-node1"]
    assert uid in bench.records()
