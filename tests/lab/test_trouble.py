"""What the kernel stopped, could not write, or put on top of a volume, with true ext4, xfs and kpartx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.helper_rig import HelperFault, Rig, Volume

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.lab

GOING_DOWN = (  # XFS_IOC_GOINGDOWN of <linux/fs.h>, without writing the log: what a lost log device does
    'python3 -c "import fcntl, os, struct; '
    "fcntl.ioctl(os.open('{target}', 0), 0x8004587D, struct.pack('I', 2))\""
)
PARTITION = "dd of={device} bs=1 seek=446 conv=notrunc,fsync status=none"


def ext4_error(rig: Rig, volume: Volume) -> None:
    rig.sh(f"echo x > /sys/fs/ext4/$(basename $(readlink -f {rig.device(volume)}))/trigger_fs_error")


def xfs_shutdown(rig: Rig, volume: Volume) -> None:
    rig.sh(GOING_DOWN.format(target=volume.device_mount))


@pytest.mark.parametrize(
    ("kind", "stop"), [("ext4", ext4_error), ("xfs", xfs_shutdown)], ids=["ext4 error", "xfs shutdown"]
)
def test_a_file_system_that_the_kernel_stopped_goes_to_no_pod_until_it_was_checked(
    rig: Rig, volume: Volume, kind: str, stop: Callable[[Rig, Volume], None]
) -> None:
    rig.attach(volume)
    rig.mount(volume, fs_type=kind)
    rig.sh(f"echo kept > {volume.device_mount}/file; sync -f {volume.device_mount}/file")
    stop(rig, volume)
    for verb in ("Bind", "Mount", "GrowFilesystem"):
        asked: dict[str, dict[str, Any]] = {
            "Bind": {
                **{"uid": volume.uid, "source": volume.device_mount},
                **{"target": volume.pod_directory, "read_only": False},
            },
            "Mount": {
                **{"uid": volume.uid, "target": volume.device_mount, "fs_type": kind, "read_only": False},
                **{"size": volume.size, "may_format": False, "multipath": "required"},
            },
            "GrowFilesystem": {"uid": volume.uid, "target": volume.device_mount},
        }
        with pytest.raises(HelperFault) as refused:
            rig.call(verb, **asked[verb])
        assert refused.value.code == "file-system", refused.value
    (seen,) = rig.call("Inspect", uid=volume.uid)["mounts"]
    print(seen)
    assert seen["trouble"]
    rig.unmount(volume.device_mount)
    rig.mount(volume, fs_type=kind, may_format=False)  # fsck, or the replay of the log, mends it
    assert rig.call("Inspect", uid=volume.uid)["mounts"][0]["trouble"] == ""
    rig.bind(volume)
    assert rig.sh(f"cat {volume.pod_directory}/file") == "kept"
    rig.unmount(volume.pod_directory)
    rig.unmount(volume.device_mount)
    rig.detach(volume)


def test_writes_that_the_array_did_not_take_are_said_and_the_volume_goes(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.mount(volume)
    rig.sh(
        f"dmsetup message 3{volume.uid} 0 fail_if_no_path; sysctl -q vm.dirty_writeback_centisecs=0; "
        f"dd if=/dev/zero of={volume.device_mount}/x bs=64k count=16 status=none; "
        f"for disk in $(ls /sys/block/$(basename $(readlink -f {rig.device(volume)}))/slaves); do "
        "echo offline > /sys/block/$disk/device/state; done"
    )
    assert rig.call("Unmount", target=volume.device_mount)["lost"] is True
    said = rig.sh("journalctl -q --no-pager -p err -u instorage-helper.service -o cat", check=False)
    assert f"Writes of volume {volume.uid}" in said
    assert len(rig.detach(volume)) == 3


def test_a_partition_table_keeps_nothing_on_the_node(rig: Rig, volume: Volume) -> None:
    """kpartx puts a map over each partition, as Debian's multipath-tools have it do by themselves."""
    rig.attach(volume)
    device = rig.device(volume)
    entry = r"\x00\x00\x02\x00\x83\x00\x00\x00\x00\x08\x00\x00\x00\x08\x00\x00"  # 2048 sectors from 2048 on
    rig.sh(f"printf '{entry}' | {PARTITION.format(device=device)}")
    rig.sh(f"printf '\\x55\\xaa' | dd of={device} bs=1 seek=510 conv=notrunc,fsync status=none")
    rig.sh(f"kpartx -a -p -part {device} && udevadm settle")
    assert "part1" in rig.sh("dmsetup ls")
    with pytest.raises(HelperFault, match="partition table") as refused:
        rig.mount(volume)
    assert refused.value.code == "not-empty"
    rig.sh(f"mkfs.ext4 -q {device}-part1 && mount {device}-part1 /mnt")
    with pytest.raises(HelperFault, match="/mnt"):
        rig.detach(volume)
    rig.sh("umount /mnt")
    assert len(rig.detach(volume)) == 3
    assert "part1" not in rig.sh("dmsetup ls")
