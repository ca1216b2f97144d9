"""kill -9 at every step, with a real kernel and SAN: the repeated call converges, and so does no call at all.

`make test` kills at each step once within two days, the victims in rotation, `make soak` everybody at each.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.crash.table import HelperStep
from tests.lab.crash import build
from tests.lab.crash.life import (
    COMES_IN,
    Kill,
    everything,
    killed,
    live,
    lives,
    read_back,
    repeat,
    rotated,
    start,
    victims,
)
from tests.lab.link import over
from tests.soak import WHOLE, in_turn, of_today
from tools.lab.kubelet import Kubelet

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.crash.conftest import MakeVolume
    from tools.lab import Machine
    from tools.lab.product import Product
    from tools.lab.san import San

pytestmark = [pytest.mark.lab, over("iscsi"), pytest.mark.timeout(3600 if WHOLE else 600)]
LIVES = of_today(lives(everything() if WHOLE else rotated()), 2)  # natively all are killed every day


@pytest.fixture(scope="module")
def written(link: str) -> list[str]:
    """Volumes to which a pod has written, over the link of now."""
    return []


@pytest.mark.parametrize("kills", LIVES, ids=lambda kills: "+".join(map(str, kills.values())))
def test_a_life_with_kills_whose_calls_are_repeated(
    node: Machine,
    make_volume: MakeVolume,
    written: list[str],
    kills: dict[str, Kill],
) -> None:
    """What the last call left is settled while the next life goes on, and looked at after the last."""
    kubelet = Kubelet(node, make_volume())
    live(kubelet, kills)
    written.append(kubelet.volume)


def test_a_hang_in_the_kernel_is_answered_while_what_was_written_in_other_lives_is_read(
    node: Machine, written: list[str], make_volume: MakeVolume, becomes_clean: Callable[[], None]
) -> None:
    """The worker dies in one of the readers' mounts, after the check of the file system."""
    assert len(written) == len(LIVES)
    becomes_clean()
    hung = Kubelet(node, make_volume())
    start(hung)
    node.run(f"echo x > {hung.pod_directory}/row")  # to be written back by the unmount
    node.run("dmsetup suspend --noflush $(dmsetup ls --target multipath | cut -f1)")
    build.arm(node, HelperStep.HELPER_MOUNT_CHECKED, "worker")
    readers = [Kubelet(node, volume) for volume in written]
    with ThreadPoolExecutor(5) as pool:
        unmounting = pool.submit(hung.call, "unmount", timeout=150)
        list(pool.map(read_back, readers[:: 1 if WHOLE else 3]))
        answer = unmounting.result()
    print(f"{answer.seconds:.1f} s: {answer.message}")
    assert build.hit(node)
    node.run("systemctl restart instorage-helper.service", timeout=60)  # beside what no signal ends
    read_back(readers[0])
    node.run("for map in $(dmsetup ls --target multipath | cut -f1); do dmsetup resume $map; done")
    assert answer.seconds < 101, "the stub's own deadline"
    for call in ("unmount", "unmountdevice"):
        repeat(hung, call)
    becomes_clean()


def test_a_pod_that_may_only_read_never_gets_a_writable_mount(
    node: Machine, make_volume: MakeVolume, becomes_clean: Callable[[], None]
) -> None:
    writer = Kubelet(node, make_volume())
    start(writer)
    reader = Kubelet(node, writer.volume, read_only=True)
    killed(reader, "mount", Kill(HelperStep.HELPER_BIND_BOUND, "worker"))
    repeat(reader, "mount")
    assert "Read-only" in node.run(f"touch {reader.pod_directory}/x 2>&1", check=False).stdout
    for kubelet, call in ((reader, "unmount"), (writer, "unmount"), (writer, "unmountdevice")):
        repeat(kubelet, call)
    becomes_clean()


@in_turn(0, 2)
def test_calls_that_are_never_repeated_leave_nothing(
    node: Machine, make_volume: MakeVolume, becomes_clean: Callable[[], None]
) -> None:
    """As kubelet does with a pod that was deleted, and once the directory is no mount point any more."""
    for number, step in enumerate(COMES_IN["waitforattach"][:: 1 if WHOLE else 4]):
        possible = victims(step)
        kill = Kill(step, possible[(number + 1) % len(possible)])
        killed(Kubelet(node, make_volume()), "waitforattach", kill)
    takedowns = [Kill(step, victim) for step in COMES_IN["unmountdevice"] for victim in victims(step)]
    for kill in takedowns if WHOLE else takedowns[1::13]:
        kubelet = Kubelet(node, make_volume())
        for call in ("waitforattach", "mountdevice"):
            repeat(kubelet, call)
        killed(kubelet, "unmountdevice", kill)
        repeat(kubelet, "unmountdevice")  # while it is mounted: an earlier volume's end may have met the kill
    becomes_clean()


def test_devices_that_went_by_themselves_are_forgotten_and_unmapped(
    node: Machine, make_volume: MakeVolume, becomes_clean: Callable[[], None]
) -> None:
    kubelet = Kubelet(node, make_volume())
    repeat(kubelet, "waitforattach")
    drop_maps(node)
    node.run("for disk in /sys/block/sd*; do echo 1 > $disk/device/delete; done; udevadm settle")
    killed(kubelet, "unmountdevice", Kill(HelperStep.HELPER_DETACH_FORGOTTEN, "helper"))
    kubelet.call("unmountdevice")
    becomes_clean()


@pytest.mark.usefixtures("iscsi_only")
def test_a_session_that_a_kill_kept_from_being_ended_ends_with_the_next_call(
    node: Machine, product: Product, make_volume: MakeVolume, becomes_clean: Callable[[], None]
) -> None:
    with product.configured(logout=True):
        kubelet = Kubelet(node, make_volume())
        repeat(kubelet, "waitforattach")
        for kill, left in (
            (Kill(HelperStep.HELPER_DETACH_DISKS_REMOVED, "helper"), 2),
            (Kill(HelperStep.HELPER_DETACH_LOGGED_OUT, "worker"), 0),
        ):
            killed(kubelet, "unmountdevice", kill)
            assert node.run("iscsiadm -m session", check=False).stdout.count("tcp:") == left
        assert kubelet.call("unmountdevice").success
        becomes_clean()


def drop_maps(node: Machine) -> None:
    """Remove every map behind the product's back; udev may have one open for a moment, then it is «fail».

    Forgotten first: one whose WWID is known comes again with the next event of a path.
    """
    node.run(
        "for i in $(seq 100); do ls -d /sys/block/dm-* >/dev/null 2>&1 || exit 0; "
        "for map in $(dmsetup ls --target multipath | cut -f1); do "
        "multipath -w $map; multipathd del map $map; done; udevadm settle; done; exit 1"
    )


@in_turn(1, 2)
@pytest.mark.usefixtures("iscsi_only")  # it is scanned by hand behind sessions
def test_a_lun_number_that_was_used_again_shows_the_new_volume(
    node: Machine, san: San, make_volume: MakeVolume, becomes_clean: Callable[[], None]
) -> None:
    """The array's administrator unmapped the first; its disks stay on the host, at the second's LUN.

    They are scanned by hand: an attached volume that nobody mounts is taken down after a while.
    """
    first, second = Kubelet(node, make_volume()), Kubelet(node, make_volume())
    repeat(first, "waitforattach")  # makes the host object and the sessions
    lun, host = lun_of(san, first.volume)
    assert first.call("unmountdevice").success
    san.command(f"mcsop mkvdiskhostmap -host {host} -scsi {lun} {first.volume}")
    scan(node, lun)
    drop_maps(node)
    san.command(f"mcsop rmvdiskhostmap -host {host} {first.volume}")
    san.command(f"mcsop mkvdiskhostmap -host {host} -scsi {lun} {second.volume}")
    killed(second, "waitforattach", Kill(HelperStep.HELPER_ATTACH_STALE_REMOVED, "worker"))
    for call in ("waitforattach", "mountdevice"):
        repeat(second, call)
    uid = next(v["uid"] for v in san.control.do("volumes") if v["name"] == second.volume)
    source = node.run(["findmnt", "-no", "SOURCE", second.device_mount]).stdout.strip()
    assert uid.lower() in node.run(f"/lib/udev/scsi_id -g -u {source}").stdout
    repeat(second, "unmountdevice")
    becomes_clean()


@in_turn(1, 2)
def test_another_volume_behind_the_mapping_is_never_mounted_and_mended_when_the_array_is(
    node: Machine, san: San, make_volume: MakeVolume, becomes_clean: Callable[[], None]
) -> None:
    wanted, other = Kubelet(node, make_volume()), make_volume()
    repeat(wanted, "waitforattach")  # makes the host object
    _, host = lun_of(san, wanted.volume)
    repeat(wanted, "unmountdevice")
    wanted.call("unmountdevice")
    san.command(f"mcsop mkvdiskhostmap -host {host} {wanted.volume}")
    san.control.do("map-wrong-lun", host=host, volume=wanted.volume, instead=other)
    answer = wanted.call("waitforattach")
    print(answer.message)
    assert not answer.success
    uids = {v["name"]: v["uid"].lower() for v in san.control.do("volumes")}
    assert uids[wanted.volume] in answer.message
    assert uids[other] in answer.message
    assert not wanted.call("mountdevice").success
    assert not node.run("grep kubernetes.io /proc/self/mountinfo", check=False).stdout
    san.command(f"mcsop rmvdiskhostmap -host {host} {wanted.volume}")  # whoever made it takes it away
    becomes_clean()
    for call in ("waitforattach", "mountdevice", "unmountdevice"):
        repeat(wanted, call)
    becomes_clean()


def scan(node: Machine, lun: int) -> None:
    """Have the kernel find a LUN behind every session."""
    node.run(
        f"for host in $(grep -l iscsi_tcp /sys/class/scsi_host/*/proc_name); do "
        f"echo 0 0 {lun} > $(dirname $host)/scan; done; timeout 60 sh -c 'until "
        f"[ $(ls -d /sys/bus/scsi/devices/*:0:0:{lun}/block/* 2>/dev/null | wc -l) = 2 ]; do sleep 0.1; done'"
    )


def lun_of(san: San, volume: str) -> tuple[int, str]:
    """Return LUN number and host object of a volume's one mapping."""
    (mapping,) = next(v["maps"] for v in san.control.do("volumes") if v["name"] == volume)
    return mapping["lun"], mapping["host"]
