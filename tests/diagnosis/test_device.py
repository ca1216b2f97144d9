"""What the kernel shows of a volume: degraded paths, a single one, no map, a file system given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nodeagent.diagnosis import device, link
from nodeagent.diagnosis.device import Kernel

if TYPE_CHECKING:
    from pathlib import Path

    from nodeagent.diagnosis.link import Verdict

UID = "6005076400000000000000000000001a"


class Sysfs:
    """Directories as sysfs has them: disks in sessions, a map, and mountinfo."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.kernel = Kernel(root, root / "mountinfo")
        (root / "block").mkdir(parents=True)
        (root / "mountinfo").write_text("")

    def file(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{text}\n")

    def disk(self, number: int, *, state: str = "running", session: str = "LOGGED_IN") -> None:
        name = f"sd{'abcd'[number]}"
        at = f"devices/platform/host{number}/session{number}/target/block/{name}"
        self.file(f"{at}/device/wwid", f"naa.{UID}")
        self.file(f"{at}/device/state", state)
        self.file(f"{at}/dev", f"8:{16 * number}")
        (self.root / "block" / name).symlink_to(self.root / at)
        self.file(f"class/iscsi_session/session{number}/state", session)
        self.file(f"class/iscsi_connection/connection{number}:0/persistent_address", f"10.0.0.{number + 1}")
        self.file(f"class/iscsi_connection/connection{number}:0/persistent_port", "3260")

    def map(self) -> None:
        for name, text in (("uuid", f"mpath-3{UID}"), ("name", "mpatha")):
            self.file(f"block/dm-0/dm/{name}", text)
        self.file("block/dm-0/dev", "253:0")
        self.file("block/dm-0/size", str(1 << 21))

    def mount(self, options: str = "rw,relatime", more: str = "rw", kind: str = "ext4") -> None:
        line = f"40 25 253:0 / /var/lib/kubelet/m {options} shared:1 - {kind} /dev/mapper/mpatha {more}\n"
        (self.root / "mountinfo").write_text(line)

    def why(self) -> Verdict:
        return link.judged("Volume v", device.links("v", UID, self.kernel, attached=True))


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    made = Sysfs(tmp_path / "sys")
    made.disk(0)
    made.disk(1)
    made.map()
    made.mount()
    return made


def test_a_mounted_volume_over_two_paths_works(sysfs: Sysfs) -> None:
    verdict = sysfs.why()
    assert verdict.sentence == "Volume v works."
    said = [one.sentence for one in verdict.links]
    assert "Path sda over 10.0.0.1:3260 is running." in said
    assert "Mounted read-write (ext4) on /var/lib/kubelet/m." in said
    assert "Multipath map mpatha (dm-0) of 1024 MiB over 2 paths." in said


@pytest.mark.parametrize(
    ("broken", "part"),
    [
        ({"state": "transport-offline"}, "is transport-offline"),
        ({"session": "FAILED"}, "a session that is FAILED"),
    ],
)
def test_a_path_that_is_lost_is_named_with_its_portal(
    sysfs: Sysfs, broken: dict[str, str], part: str
) -> None:
    sysfs.disk(2, **broken)
    verdict = sysfs.why()
    assert verdict.sentence.startswith(
        "Volume v works, with a fault: 2 of 3 paths work: sdc over 10.0.0.3:3260"
    )
    assert part in verdict.sentence
    assert (verdict.who, verdict.command) == (link.SAN, "instoragectl doctor --volume v")


def test_a_disk_that_the_kernel_gave_up_is_named_with_the_command_that_gives_it_back(sysfs: Sysfs) -> None:
    sysfs.disk(2, state="offline")
    (given,) = [one for one in sysfs.why().links if "tries it no more" in one.sentence]
    assert (given.who, given.command) == (link.NODE, "echo running >/sys/block/sdc/device/state")
    assert "once its session or port works" in given.sentence


def test_a_single_path_is_said(sysfs: Sysfs) -> None:
    (sysfs.root / "block/sdb").unlink()
    verdict = sysfs.why()
    assert "Only a single path is in use (sda over 10.0.0.1:3260)" in verdict.sentence
    assert "names each portal" in verdict.sentence
    assert (verdict.who, verdict.command) == (link.NODE, "instoragectl doctor --volume v")


def test_paths_without_a_map_are_multipathds(sysfs: Sysfs) -> None:
    sysfs.file("block/dm-0/dm/uuid", "LVM-x")
    verdict = sysfs.why()
    assert "There is no multipath map over the 2 paths" in verdict.sentence
    assert (verdict.who, verdict.command) == (link.NODE, "instoragectl multipath")
    assert "The map is made with the next mount" in verdict.sentence


@pytest.mark.parametrize("option", ["shutdown", "emergency_ro"])
def test_a_file_system_that_the_kernel_has_given_up_is_said(sysfs: Sysfs, option: str) -> None:
    sysfs.mount(more=f"rw,{option}")
    verdict = sysfs.why()
    assert f"has given up the file system on /var/lib/kubelet/m ({option})" in verdict.sentence
    assert "The next mount checks it (fsck -a)" in verdict.sentence
    assert (verdict.who, verdict.command) == (link.KUBERNETES, "kubectl instorage why v")
    known = link.judged("Volume v", device.links("v", UID, sysfs.kernel, attached=True, pod="default/web"))
    assert known.command == "kubectl -n default delete pod web"


def test_xfs_is_not_said_to_be_checked(sysfs: Sysfs) -> None:
    sysfs.mount(more="rw,shutdown", kind="xfs")
    said = sysfs.why().sentence
    assert "The next mount replays its log" in said
    assert "fsck" not in said


def test_a_volume_that_is_attached_without_a_path_is_the_sans(sysfs: Sysfs) -> None:
    for name in ("sda", "sdb", "dm-0/dm/uuid"):
        (sysfs.root / "block" / name).unlink()
    verdict = sysfs.why()
    assert "The kernel has no path to the volume" in verdict.sentence
    assert (verdict.who, verdict.command) == (link.SAN, "instoragectl doctor --volume v")
