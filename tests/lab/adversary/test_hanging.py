"""What hangs in the kernel costs its own volume only: its caller is answered, all others go on."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.helper_rig import AS_AGENT, CLIENT, Rig, Volume
from tests.soak import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not WHOLE, reason="3 minutes: in make soak; a hanging sync is in test_points"),
]

OTHERS = 10
UNMOUNT_LIMIT, MOUNT_LIMIT = 30, 90  # seconds: the helper's own for an unmount and for the reads of a proof
SLOW = 25  # seconds more: a guest is emulated, and ten volumes are worked on beside
RECOVERY = 90  # seconds for multipathd to take the paths back


@pytest.fixture
def make(rig: Rig) -> Iterator[list[Volume]]:
    volumes = [rig.volume() for _ in range(OTHERS + 2)]
    yield volumes
    try:
        rig.assert_clean()
    finally:
        for volume in volumes:
            rig.clear(volume)


class Call:
    """A call that goes on in the guest while the test does other things."""

    def __init__(self, rig: Rig, verb: str, **parameters: Any) -> None:
        self._rig, self._file = rig, f"/tmp/{verb}-{time.monotonic_ns()}"
        rig.node.put(f"{self._file}.json", json.dumps([[verb, {"op": "hang1", **parameters}]]))
        rig.sh(
            f'({" ".join(AS_AGENT)} /usr/bin/python3 -SEs {CLIENT} "$(cat {self._file}.json)" '
            f"> {self._file}.out 2>&1 &)"
        )

    def answer(self, limit: float) -> tuple[str, float]:
        """Return the code of the fault (empty: success) and the seconds that the call took."""
        deadline = time.monotonic() + limit
        while not (said := self._rig.sh(f"cat {self._file}.out")):
            assert time.monotonic() < deadline, f"no answer after {limit} s"
            time.sleep(0.2)
        (found,) = json.loads(said)
        return found.get("parameters", {}).get("code", ""), found["ms"] / 1000


def abandoned(rig: Rig) -> list[str]:
    return rig.sh("ls /run/instorage/abandoned").split()


def test_a_hanging_unmount_and_a_hanging_mount_stop_nobody_else(rig: Rig, make: list[Volume]) -> None:
    unmounted, mounted, *others = make
    for volume in (unmounted, mounted):
        rig.attach(volume)
        rig.mount(volume)
    rig.unmount(mounted.device_mount)
    rig.sh(f"dmsetup message 3{unmounted.uid} 0 queue_if_no_path; sysctl -q vm.dirty_writeback_centisecs=0")
    rig.sh(f"dd if=/dev/zero of={unmounted.device_mount}/x bs=64k count=16 status=none")
    set_paths(rig, unmounted, "offline")  # all its paths are gone from now on, and its map waits for them
    rig.sh(f"dmsetup suspend --noflush --nolockfs 3{mounted.uid}")  # paths that answer, data that never comes
    usual = {"fs_type": "ext4", "read_only": False, "may_format": True, "multipath": "required"}
    unmount = Call(rig, "Unmount", target=unmounted.device_mount)
    mount = Call(rig, "Mount", uid=mounted.uid, size=mounted.size, target=mounted.device_mount, **usual)
    begun = time.monotonic()
    for volume in others:
        rig.attach(volume)
        assert len(rig.detach(volume)) == 3
    print(f"{OTHERS} others attached and detached in {time.monotonic() - begun:.1f} s")
    said, took = unmount.answer(UNMOUNT_LIMIT + SLOW)
    assert said == "timeout"
    assert took < UNMOUNT_LIMIT + SLOW
    again = Call(rig, "Unmount", target=unmounted.device_mount)
    said, took = mount.answer(MOUNT_LIMIT + SLOW)
    print(f"the mount's caller is answered after {took:.1f} s: {said}")
    assert said in ("timeout", "file-system")
    assert again.answer(UNMOUNT_LIMIT + SLOW)[0] == "lock-timeout", "the volume does not stay locked"
    shown = " ".join(abandoned(rig))
    assert unmounted.uid in shown
    assert mounted.uid in shown
    assert "D" in rig.sh("cd /run/instorage/abandoned; for p in *; do ps -o stat= -p ${p%%-*}; done")
    assert rig.sh("systemctl is-active instorage-helper.service") == "active"
    restarted_beside_what_is_stuck(rig, others[0])
    assert Call(rig, "Unmount", target=unmounted.device_mount).answer(SLOW)[0] == "lock-timeout"
    set_paths(rig, unmounted, "running")
    rig.sh(f"dmsetup resume 3{mounted.uid}")
    recover(rig, unmounted)
    rig.mount(mounted)
    for volume in (unmounted, mounted):
        rig.unmount(volume.device_mount)
        assert len(rig.detach(volume)) == 3
    deadline = time.monotonic() + 10
    while rig.sh("ls /run/instorage/abandoned"):
        assert time.monotonic() < deadline, "a child that ended is still listed"
        time.sleep(0.2)


def restarted_beside_what_is_stuck(rig: Rig, other: Volume) -> None:
    """Nothing can end a process that the kernel keeps: a restart of the helper must not wait for it."""
    begun = time.monotonic()
    rig.sh("systemctl restart instorage-helper.service")
    rig.attach(other)
    rig.mount(other)
    rig.unmount(other.device_mount)
    assert len(rig.detach(other)) == 3
    print(f"restarted, and another volume's life, in {time.monotonic() - begun:.1f} s")


def set_paths(rig: Rig, volume: Volume, state: str) -> None:
    """Take the volume's disks away from the kernel's I/O, or give them back."""
    rig.sh(
        f"for disk in $(ls /sys/block/$(basename $(readlink -f /dev/mapper/3{volume.uid}))/slaves); do "
        f"echo {state} > /sys/block/$disk/device/state; done"
    )


def recover(rig: Rig, volume: Volume) -> None:
    """Wait until the paths are back and the abandoned child has ended."""
    deadline = time.monotonic() + RECOVERY
    while volume.uid in " ".join(abandoned(rig)) and _lives(rig):
        assert time.monotonic() < deadline, rig.sh("multipath -ll; ps ax -o pid,stat,wchan,args", check=False)
        time.sleep(0.5)


def _lives(rig: Rig) -> bool:
    return bool(
        rig.sh(
            "for p in $(ls /run/instorage/abandoned); do test -d /proc/${p%%-*} && echo $p; done", check=False
        )
    )
