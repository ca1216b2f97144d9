"""The running helper: who is answered, and what becomes of devices that are not ours."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.lab.adversary.conftest import STRANGER
from tests.lab.helper_rig import AS_AGENT, CLIENT, DEVICE_MOUNTS, TARGETS, HelperFault, Rig, Volume
from tests.soak import WHOLE, in_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.lab import Lab

pytestmark = [pytest.mark.lab, in_turn(0, 2)]

CONNECTS = 10_000 if WHOLE else 3000  # 10,000 every day in tests/adversary, without systemd
FLOOD = f"""
import socket, sys
for _ in range({CONNECTS}):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect("/run/instorage/helper.sock")
print("done")
"""
FOREIGN_LUN = 200
FOREIGN = f"""
set -e
T=/sys/kernel/config/target; truncate -s 64M /foreign; L=$(losetup -f --show /foreign)
mkdir -p $T/core/iblock_77; mkdir $T/core/iblock_77/foreign; S=$T/core/iblock_77/foreign
echo udev_path=$L > $S/control; echo 0123456789abcdef0123456789 > $S/wwn/vpd_unit_serial; echo 1 > $S/enable
G=$T/iscsi/{TARGETS[0]}/tpgt_1
mkdir $G/lun/lun_{FOREIGN_LUN}; ln -s $S $G/lun/lun_{FOREIGN_LUN}/foreign
for A in $G/acls/*; do
  mkdir $A/lun_{FOREIGN_LUN}; ln -s $G/lun/lun_{FOREIGN_LUN} $A/lun_{FOREIGN_LUN}/foreign
done
"""
LVM_LABEL = """
import struct, sys, zlib
body = struct.pack("<I8s", 32, b"LVM2 001") + b"a" * 32
body += bytes(512 - 20 - len(body))
crc = ~zlib.crc32(body, ~0xF597A6CF & 0xFFFFFFFF) & 0xFFFFFFFF
with open(sys.argv[1], "r+b") as device:
    device.seek(512)
    device.write(b"LABELONE" + struct.pack("<QI", 1, crc) + body)
"""
INITIATOR = json.dumps([["Initiator", {"op": "test1"}]])


def test_nobody_cannot_connect_and_the_groups_others_get_no_byte(rig: Rig) -> None:
    ask = f"/usr/bin/python3 -SEs {CLIENT} '{INITIATOR}' 2>&1"
    nobody = rig.sh(f"setpriv --reuid nobody --regid nogroup --clear-groups {ask}", check=False)
    assert "PermissionError" in nobody
    assert rig.calls(("Initiator", {}), user=STRANGER)[0].code == "closed"
    assert "iqn" in rig.call("Initiator")
    agent_socket = "import socket; socket.socket(socket.AF_UNIX).connect('/run/instorage/agent.sock')"
    for who in (AS_AGENT, STRANGER):
        said = rig.sh(
            "systemctl start instorage-nodeagent.socket; "
            f'{" ".join(who)} python3 -c "{agent_socket}" 2>&1; systemctl stop instorage-nodeagent.socket',
            check=False,
        )
        assert "PermissionError" in said


def test_thousands_of_connects_of_a_stranger_leave_the_socket_open_and_the_agent_served(rig: Rig) -> None:
    rig.node.put("/tmp/flood.py", FLOOD)
    rig.sh("systemctl stop instorage-helper.service")  # so that systemd's own limits are met too
    rig.sh(f"({' '.join(STRANGER)} python3 /tmp/flood.py > /tmp/flood.out 2>&1 &)")
    answered, slowest = 0, 0
    deadline = time.monotonic() + 200
    while "done" not in rig.sh("cat /tmp/flood.out"):
        assert time.monotonic() < deadline, rig.sh("cat /tmp/flood.out")
        assert "iqn" in rig.call("Initiator")
        answered += 1
        slowest = max(slowest, rig.milliseconds[-1][1])
    print(f"{answered} answers under the flood, the slowest after {slowest} ms")
    assert answered > 1
    assert rig.sh("systemctl is-active instorage-helper.socket") == "active"
    records = int(rig.sh("journalctl -b -q -u instorage-helper | grep -c 'only the agent is served'"))
    assert records < 300, "a flood fills the journal"


@pytest.fixture
def foreign(rig: Rig, lab: Lab) -> Iterator[Volume]:
    """A LUN of another maker behind our array's target, found by the kernel; its UID looks like one."""
    lab.array.run(FOREIGN)
    helping = rig.volume()
    rig.attach(helping)
    rig.detach(helping)
    rig.clear(helping)
    rig.sh(
        f"for h in /sys/class/scsi_host/host*; do echo '0 0 {FOREIGN_LUN}' > $h/scan; done; udevadm settle"
    )
    uid = rig.sh("cat /sys/block/sd*/device/wwid").removeprefix("naa.")
    assert uid.startswith("6001405")
    yield Volume(uid, FOREIGN_LUN, 64 << 20)
    rig.sh(f"multipath -f 3{uid}; multipath -w 3{uid}; echo 1 > /sys/block/sda/device/delete", check=False)


def test_another_makers_disk_is_neither_attached_nor_mounted_nor_detached(rig: Rig, foreign: Volume) -> None:
    path = foreign.paths[:1]
    with pytest.raises(HelperFault, match="LIO-ORG") as refused:
        rig.attach(foreign, paths=path, multipath="preferred")
    assert refused.value.code == "not-ours"
    with pytest.raises(HelperFault) as refused:
        rig.mount(foreign, multipath="preferred")
    assert refused.value.code == "no-path"  # no disk of ours has that UID
    assert rig.detach(foreign) == []
    rig.sh(
        f"multipath -a /dev/sda; multipathd add path sda; multipathd add map 3{foreign.uid}; udevadm settle"
    )
    assert rig.sh("dmsetup ls --target multipath")
    asks: tuple[Callable[[], object], ...] = (lambda: rig.mount(foreign), lambda: rig.detach(foreign))
    for ask in asks:
        with pytest.raises(HelperFault) as refused:
            ask()
        assert refused.value.code == "not-ours"
    rig.sh(f"mkfs.ext4 -q /dev/mapper/3{foreign.uid} && mkdir -p {foreign.device_mount}")
    rig.sh(f"mount /dev/mapper/3{foreign.uid} {foreign.device_mount}")
    try:
        asks = (lambda: rig.unmount(foreign.device_mount), lambda: rig.bind(foreign))
        for ask in asks:
            with pytest.raises(HelperFault) as refused:
                ask()
            assert refused.value.code == "not-ours"
        assert rig.sh(f"findmnt -no TARGET {foreign.device_mount}")
    finally:
        rig.sh(f"umount {foreign.device_mount}; rmdir {foreign.device_mount}")
    assert rig.sh("ls /sys/block | grep sda") == "sda"


def test_a_physical_volume_of_lvm_is_not_formatted(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.node.put("/tmp/label.py", LVM_LABEL)
    rig.sh(f"python3 /tmp/label.py {rig.device(volume)}")
    with pytest.raises(HelperFault, match="LVM2_member") as refused:
        rig.mount(volume)
    assert refused.value.code == "not-empty"
    rig.detach(volume)


def test_a_disk_without_a_map_that_a_program_reads_is_left_alone(rig: Rig, volume: Volume) -> None:
    disk = rig.attach(volume)["found"][0]
    rig.take_map_away(volume)
    rig.sh(f"systemd-run -q --unit=reader sh -c 'exec 7</dev/{disk}; exec sleep 600'")
    try:
        rig.sh("until [ -e /proc/$(systemctl show -P MainPID reader)/fd/7 ]; do sleep 0.05; done")
        with pytest.raises(HelperFault, match="a program that has /dev/sd") as refused:
            rig.detach(volume)
        assert refused.value.code == "device-busy"
    finally:
        rig.sh("systemctl stop reader")
    assert len(rig.detach(volume)) == 2, "multipathd, which runs, is taken for a user of the disks"


RACER = """
import os, sys, time
right, trap = sys.argv[1:]
away = right + ".away"
while True:
    time.sleep(0.003)
    os.rename(right, away)
    os.symlink(trap, right)
    os.unlink(right)
    os.rename(away, right)
"""


def test_a_racer_that_swaps_the_targets_directory_never_gets_a_mount(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.mount(volume)
    rig.unmount(volume.device_mount)
    rig.node.put("/tmp/racer.py", RACER)
    rig.sh(f"mkdir -p /trap/{volume.name}")
    rig.sh(f"systemd-run -q --unit=racer python3 /tmp/racer.py {DEVICE_MOUNTS} /trap")
    codes = []
    try:
        for _ in range(15 if WHOLE else 5):
            try:
                rig.mount(volume)
                codes.append("mounted")
                rig.unmount(volume.device_mount)
            except HelperFault as fault:
                codes.append(str(fault.code))
            assert "/trap" not in rig.sh("cat /proc/self/mountinfo")
    finally:
        rig.sh("systemctl stop racer")
        away = f"{DEVICE_MOUNTS}.away"
        rig.sh(f"test -L {DEVICE_MOUNTS} && rm {DEVICE_MOUNTS}", check=False)
        rig.sh(f"test -d {away} && mv {away} {DEVICE_MOUNTS}", check=False)
    print(codes)
    assert "mounted" in codes, "the racer left no chance at all: nothing was tested"
    assert "internal" not in codes
    rig.unmount(volume.device_mount)
    rig.detach(volume)
