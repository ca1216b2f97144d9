"""The root helper's devices with a real kernel, iscsid, multipathd and SAN: found, proven, in use, gone."""

from __future__ import annotations

import time

import pytest

from tests.lab.helper_rig import GIB, TARGETS, HelperFault, Rig, Volume
from tests.soak import IN_SOAK
from tools.lab.topology import PORTALS

pytestmark = pytest.mark.lab


@IN_SOAK  # every day in tests/lab/node
def test_a_dead_portal_is_left_out_and_not_waited_for(rig: Rig, volume: Volume) -> None:
    rig.sh(f"iscsiadm -m node -T {TARGETS[1]} -u; rm -rf /run/instorage/portals", check=False)
    rig.sh(
        "nft add table inet dead; nft 'add chain inet dead out { type filter hook output priority 0; }'; "
        f"nft add rule inet dead out ip daddr {PORTALS[1]} drop"
    )
    try:
        attached = rig.attach(volume)
        assert (len(attached["found"]), attached["multipath"]) == (1, True)
        (refused,) = attached["refused"]
        assert (refused["code"], refused["path"]["portal"]) == ("portal-unreachable", f"{PORTALS[1]}:3260")
        rig.detach(volume)
        attached = rig.attach(volume)
        assert "failed less than" in attached["refused"][0]["sentence"]
        rig.detach(volume)
    finally:
        rig.sh("nft delete table inet dead; rm -rf /run/instorage/portals")
    deadline = time.monotonic() + 60  # until then iscsid may still be at its own tries
    while len(rig.attach(volume)["found"]) < 2:
        assert time.monotonic() < deadline, "a portal that works again is not used again"
        rig.sh("rm -rf /run/instorage/portals")
    rig.detach(volume)


def test_no_portal_at_all_is_said_with_each_reason(rig: Rig, volume: Volume) -> None:
    nowhere = [{"portal": "10.9.0.77:3260", "target": TARGETS[0], "lun": volume.lun}]
    with pytest.raises(HelperFault, match=r"10\.9\.0\.77:3260") as refused:
        rig.attach(volume, paths=nowhere, wait_ms=8000)
    assert refused.value.code == "no-path"
    rig.sh(f"iscsiadm -m node -T {TARGETS[0]} -p 10.9.0.77:3260 -o delete")


def test_a_volume_that_is_not_mapped_is_said_to_be_missing(rig: Rig, volume: Volume) -> None:
    rig.unmap(volume)
    with pytest.raises(HelperFault, match=f"shows no LUN {volume.lun}") as refused:
        rig.attach(volume, wait_ms=10000)
    assert refused.value.code == "no-path"


def test_another_volume_behind_the_lun_is_refused_naming_both(rig: Rig, volume: Volume) -> None:
    wanted = Volume("6" + "a" * 31, volume.lun)
    with pytest.raises(HelperFault, match=volume.uid) as refused:
        rig.attach(wanted)
    assert (refused.value.code, refused.value.fields["found"]) == ("wrong-device", volume.uid)
    assert wanted.uid in refused.value.sentence
    rig.detach(volume)


def test_a_wrong_size_is_refused(rig: Rig, volume: Volume) -> None:
    with pytest.raises(HelperFault, match=f"{GIB} bytes, the array says {2 * GIB}") as refused:
        rig.attach(volume, size=2 * GIB)
    assert refused.value.code == "wrong-device"
    rig.detach(volume)


def test_a_lun_number_used_again_never_shows_the_old_volume(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.unmap(volume)
    other = rig.volume()
    rig.unmap(other)
    again = Volume(other.uid, volume.lun)
    rig.map(again)
    with pytest.raises(HelperFault, match=f"in use by {volume.uid}") as refused:
        rig.attach(again)  # the old volume's map still holds the disks
    assert refused.value.code == "wrong-device"
    rig.detach(volume)
    assert len(rig.attach(again)["found"]) == rig.path_count
    serial = rig.sh(f"/lib/udev/scsi_id -g -u {rig.device(again)}")
    assert serial == f"3{again.uid}"
    rig.detach(again)
    rig.delete(again)


def test_stale_disks_that_nobody_uses_are_replaced(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.take_map_away(volume)
    rig.unmap(volume)
    other = rig.volume()
    rig.unmap(other)
    again = Volume(other.uid, volume.lun)
    rig.map(again)
    assert len(rig.attach(again)["found"]) == rig.path_count
    rig.detach(again)
    rig.delete(again)


IN_ANOTHER_NAMESPACE = (
    "systemd-run -q --unit=holder -p PrivateMounts=yes sh -c 'mount {device} /mnt; exec sleep 600'; "
    "for i in $(seq 100); do grep -q ' /mnt ' /proc/$(systemctl show -P MainPID holder)/mounts "
    "&& break; sleep 0.1; done"
)

OPENED = (
    "systemd-run -q --unit=holder python3 -c \"import os, time; os.open('{device}', os.O_RDWR | os.O_EXCL); "
    'time.sleep(600)"; for i in $(seq 100); do '
    "ls -l /proc/$(systemctl show -P MainPID holder)/fd | grep -q dm- && break; sleep 0.1; done"
)

ON_TOP = "dmsetup create ontop --table '0 2048 linear {device} 0' && udevadm settle"

HOLDERS = {  # how a device is held, what ends that, and what the refusal names
    "this namespace": ("mount {device} /mnt", "umount /mnt", "a mount on /mnt"),
    "another namespace": (IN_ANOTHER_NAMESPACE, "systemctl stop holder", "a mount on /mnt"),
    "a device on top": (ON_TOP, "dmsetup remove ontop", "dm-"),
    "a program": (OPENED, "systemctl stop holder", "a program"),
}


def test_a_volume_in_use_is_neither_detached_nor_mounted(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.mount(volume)
    rig.unmount(volume.device_mount)
    device = rig.device(volume)
    for where, (begin, end, holder) in HOLDERS.items():
        rig.sh(begin.format(device=device))
        try:
            with pytest.raises(HelperFault, match=holder) as refused:
                rig.detach(volume)
            assert refused.value.code == "device-busy", where
            with pytest.raises(HelperFault) as refused:
                rig.mount(volume)
            assert refused.value.code == "device-busy", where
            assert len(rig.call("Inspect", uid=volume.uid)["paths"]) == rig.path_count
        finally:
            rig.sh(end)
        assert rig.mount(volume)["formatted"] is False, (
            f"{where} has ended, and the volume is still taken for used"
        )
        rig.unmount(volume.device_mount)
    assert len(rig.detach(volume)) == rig.path_count + 1


def test_a_lun_that_the_array_took_away_leaves_nothing_on_the_host(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.unmap(volume)
    assert len(rig.detach(volume)) == rig.path_count + 1


def test_a_mounted_volume_that_the_array_took_away_is_taken_down(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.mount(volume)
    rig.bind(volume)
    rig.sh(f"dmsetup message 3{volume.uid} 0 queue_if_no_path; sysctl -q vm.dirty_writeback_centisecs=0")
    rig.sh(f"dd if=/dev/zero of={volume.pod_directory}/x bs=64k count=16 status=none")
    rig.unmap(volume)  # what is not written yet would wait for ever
    begun = time.monotonic()
    assert rig.unmount(volume.pod_directory) == volume.uid
    assert rig.unmount(volume.device_mount) == volume.uid
    assert time.monotonic() - begun < 20, "the unmounts waited for paths that cannot come back"
    assert len(rig.detach(volume)) == rig.path_count + 1


def test_without_multipathd_one_path_serves_if_that_is_allowed(rig: Rig, volume: Volume) -> None:
    rig.sh("systemctl stop multipathd.socket multipathd")
    try:
        with pytest.raises(HelperFault, match="systemctl status multipathd") as refused:
            rig.attach(volume, wait_ms=8000)
        assert refused.value.code == "no-multipath"
        attached = rig.attach(volume, multipath="preferred")
        assert (attached["device"], attached["multipath"]) == (f"/dev/disk/by-id/wwn-0x{volume.uid}", False)
        assert rig.mount(volume, multipath="preferred")["formatted"] is True
        with pytest.raises(HelperFault, match="a mount on"):
            rig.detach(volume)
        rig.unmount(volume.device_mount)
        assert len(rig.detach(volume)) == rig.path_count
    finally:
        rig.sh("systemctl start multipathd.socket multipathd")


def test_inspect_shows_every_volume_with_its_paths_and_mounts(rig: Rig) -> None:
    volumes = [rig.volume(), rig.volume()]
    for volume in volumes:
        rig.attach(volume)
    rig.mount(volumes[0])
    (found,) = rig.calls(("Inspect", {}))
    shown = {one["uid"]: one for one in found}
    assert set(shown) == {volume.uid for volume in volumes}
    assert [mount["target"] for mount in shown[volumes[0].uid]["mounts"]] == [volumes[0].device_mount]
    assert {path["portal"] for path in shown[volumes[1].uid]["paths"]} == {f"{one}:3260" for one in PORTALS}
    rig.unmount(volumes[0].device_mount)
    for volume in volumes:
        rig.detach(volume)
        rig.delete(volume)
