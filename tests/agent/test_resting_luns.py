"""Under a LUN number that stale disks may have no other volume is shown to this host (safety.md 21)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.volume_name import VolumeName
from tests.agent.bench import NODE, device_target, options

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.bench import Bench


def lun(bench: Bench, volume: str) -> int:
    """The number under which the array shows a volume."""
    (mapping,) = bench.array.mappings(VolumeName(volume))
    return int(mapping.luns[0][1])


def kernel_has(bench: Bench, kind: str, *names: str) -> None:
    """Let sysfs show SCSI disks by host:channel:target:LUN; those of the first's host are behind a SAN."""
    for place in (f"{kind}/host{names[0].partition(':')[0]}", *(f"scsi_device/{name}" for name in names)):
        (bench.directory / "sys/class" / place).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def node(bench: Bench) -> Bench:
    for name in ("vol1", "vol2"):
        bench.create(name)
    return bench


def test_a_number_that_was_freed_before_a_restart_rests_after_it(node: Bench) -> None:
    node.attach("vol1").success()
    assert lun(node, "vol1") == 0
    node.mount_device("vol1").success()
    node.call("unmountdevice", device_target("vol1")).success()
    assert node.maps("vol1") == []
    node.restart()
    node.attach("vol2").success()
    assert lun(node, "vol2") == 1


def test_a_number_that_was_freed_before_a_reboot_is_given_again(node: Bench) -> None:
    node.attach("vol1").success()
    node.mount_device("vol1").success()
    node.call("unmountdevice", device_target("vol1")).success()
    node.restart(lambda: node.set_boot("22222222-boot"))
    node.attach("vol2").success()
    assert lun(node, "vol2") == 0


def test_an_agent_with_a_damaged_file_starts_and_asks_for_a_high_number(node: Bench) -> None:
    path: Path = node.directory / "state/resting-luns"
    node.restart(lambda: path.write_text("{ half"))
    node.attach("vol1").success()
    assert lun(node, "vol1") == 128


@pytest.mark.parametrize("kind", ["iscsi_host", "fc_host"])
def test_a_volume_unmapped_behind_our_back_keeps_its_number_while_the_kernel_has_its_disk(
    node: Bench, kind: str
) -> None:
    """Its mount may write at any time: another volume under that number would get that."""
    node.use("vol1")
    kernel_has(node, kind, "2:0:0:0", "3:0:0:1")
    node.array.unmap_volume(VolumeName("vol1"), "iscsi-node1")
    node.restart()  # what it saw of the number before is forgotten
    node.attach("vol2").success()
    assert lun(node, "vol2") == 1, "0 has a disk behind the SAN, 1 has one of this machine's own"


def test_a_number_above_255_is_known_by_the_kernels_spelling(node: Bench) -> None:
    kernel_has(node, "fc_host", *(f"2:0:0:{number}" for number in range(256)), "2:0:1:16640")
    node.attach("vol1").success()
    assert lun(node, "vol1") == 257


def test_a_list_of_disks_that_cannot_be_read_is_no_empty_one(node: Bench) -> None:
    (node.directory / "sys/class/scsi_device").write_text("")
    node.call("waitforattach", NODE, options("vol1")).failure("LUN numbers in use here cannot be read")
    assert node.maps("vol1") == []
    assert node.records() == {}
