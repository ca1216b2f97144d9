"""Growth, freeze and barrier in root code, with a real kernel, multipathd and SAN (safety.md 16 and 18)."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.lab.growing import (
    LARGE,
    file_system_size,
    freezing,
    grow,
    put_programs,
    recorded,
    rescan,
    sizes,
    takes_writes,
    wait,
)
from tests.lab.helper_rig import GIB, HelperFault, Rig, Volume
from tests.lab.link import WIRES, over
from tests.lab.writer import Writer
from tests.soak import IN_SOAK
from tools.install import PLUGIN
from tools.lab.topology import PORTALS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.lab, over("iscsi")]


@pytest.fixture(scope="module")
def programs(installed: Rig) -> None:
    put_programs(installed)


@contextlib.contextmanager
def brought_up(rig: Rig, volume: Volume) -> Iterator[None]:
    rig.attach(volume)
    rig.mount(volume)
    yield
    rig.sh(f"fsfreeze -u {volume.device_mount}", check=False)
    rig.unmount(volume.device_mount)
    rig.detach(volume)


@pytest.fixture
def mounted(programs: None, rig: Rig, volume: Volume) -> Iterator[Volume]:
    """A volume that is mounted; taken down after the test."""
    with brought_up(rig, volume):
        yield volume


@pytest.fixture(scope="module")
def standing(programs: None, installed: Rig) -> Iterator[Volume]:
    """A volume that stays mounted through all tests that only freeze it."""
    volume = installed.volume()
    with brought_up(installed, volume):
        yield volume
    installed.assert_clean()
    installed.delete(volume)


@IN_SOAK  # every day under a kubelet, and as one of the agent's volumes
@pytest.mark.parametrize("kind", ["ext4", "ext3", "xfs"])
def test_a_volume_grows_while_it_is_written_to(programs: None, rig: Rig, volume: Volume, kind: str) -> None:
    rig.attach(volume)
    rig.mount(volume, fs_type=kind)
    rig.bind(volume)
    with Writer(rig.node, f"{volume.pod_directory}/data") as writer:
        grow(rig, volume)
        writer.goes_on()
        assert sizes(rig, volume) == {LARGE}
        grown = rig.call("GrowFilesystem", uid=volume.uid, target=volume.pod_directory)
        assert grown["fs_type"] == kind
        figures = writer.ends()
    print(f"{kind}: {figures}")
    assert figures["wrong"] == 0
    rig.unmount(volume.pod_directory)
    rig.unmount(volume.device_mount)
    check = f"xfs_repair -n {rig.device(volume)}" if kind == "xfs" else f"e2fsck -fn {rig.device(volume)}"
    rig.sh(check)
    assert len(rig.detach(volume)) == rig.path_count + 1
    assert rig.attach(volume, size=LARGE)["multipath"] is True
    assert rig.mount(volume, fs_type=kind, size=LARGE)["formatted"] is False
    rig.unmount(volume.device_mount)
    rig.detach(volume)


def test_growth_that_is_repeated_changes_nothing(rig: Rig, mounted: Volume) -> None:
    grow(rig, mounted)
    before = file_system_size(rig, mounted)
    rescan(rig, mounted, LARGE)
    rig.call("GrowFilesystem", uid=mounted.uid, target=mounted.device_mount)
    assert file_system_size(rig, mounted) == before
    with pytest.raises(HelperFault, match="nothing is made smaller"):
        rescan(rig, mounted, GIB)
    assert sizes(rig, mounted) == {LARGE}


@pytest.mark.usefixtures("iscsi_only")
def test_a_volume_grows_by_a_single_path_without_a_map(rig: Rig, volume: Volume) -> None:
    rig.sh("systemctl stop multipathd.socket multipathd")
    try:
        rig.attach(volume, multipath="preferred", paths=volume.paths[:1])
        rig.mount(volume, multipath="preferred")
        grow(rig, volume)
        assert sizes(rig, volume) == {LARGE}
        rig.unmount(volume.device_mount)
        rig.detach(volume)
    finally:
        rig.sh("systemctl start multipathd.socket multipathd")


@contextlib.contextmanager
def second_way_down(rig: Rig) -> Iterator[None]:
    """Drop what goes to the second portal, or pull the second cable of Fibre Channel."""
    if rig.link == "fc":
        rig.node.set_link(WIRES["fc"][1], up=False)
    else:
        rig.sh(
            "nft add table inet dead; nft 'add chain inet dead out { type filter hook output priority 0; }'; "
            f"nft add rule inet dead out ip daddr {PORTALS[1]} drop"
        )
    try:
        yield
    finally:
        if rig.link == "fc":
            rig.node.set_link(WIRES["fc"][1], up=True)
        else:
            rig.sh("nft delete table inet dead")


def test_with_a_path_down_nothing_is_touched(rig: Rig, mounted: Volume) -> None:
    rig.plane.resize(mounted.uid, LARGE)
    with second_way_down(rig):
        with pytest.raises(HelperFault) as refused:
            rescan(rig, mounted, LARGE)
        print(refused.value)
        assert refused.value.code in ("no-path", "timeout")
        assert sizes(rig, mounted) == {GIB}
    running = "cat /sys/block/sd*/device/state"
    wait(lambda: rig.sh(running).split() == ["running"] * rig.path_count, "the paths do not come back", 120)
    rescan(rig, mounted, LARGE)
    assert sizes(rig, mounted) == {LARGE}


def test_the_agent_keeps_a_barrier_where_it_may_not_write(rig: Rig) -> None:
    uid = "6" + "0" * 31
    file = f"/{PLUGIN}/aa-extend-failure.barrier"
    record = json.dumps({"state": "running", "step": 1})
    try:
        kept = rig.call("Barrier", uid=uid, record=record, text=f"Volume {uid} is not whole.\n")
        assert kept["records"] == [record]
        assert rig.sh(f"setpriv --reuid instorage-agent --clear-groups cat {file}").startswith("Volume")
        assert rig.sh(f"stat -c '%a %U' {file} /var/lib/instorage-helper/aa/{uid}") == "644 root\n600 root"
        rig.sh("systemctl kill -s KILL instorage-helper.service")
        assert rig.call("Barrier")["records"] == [record]
    finally:
        with contextlib.suppress(HelperFault):
            rig.call("Barrier", uid=uid, erase=True)
    assert rig.call("Barrier")["records"] == []
    assert rig.node.run(f"test -e {file}", check=False).exit_status != 0


def test_a_freeze_stops_a_writer_until_the_thaw(rig: Rig, standing: Volume) -> None:
    with Writer(rig.node, f"{standing.device_mount}/data") as writer:
        with freezing(rig, standing, "Freeze") as holder:
            assert [one["intact"] for one in holder.answers(2)] == [True, True]
            before = writer.changed()
            with pytest.raises(HelperFault) as busy:
                rig.call("Detach", uid=standing.uid, wait_ms=3000)
            assert busy.value.code == "lock-timeout"
            assert writer.changed() == before, "written while it was frozen"
        writer.goes_on()
        figures = writer.ends()
    print(figures)
    assert figures["wrong"] == 0
    assert not recorded(rig, standing)


def test_freeze_and_thaw_on_one_connection_are_intact(rig: Rig, standing: Volume) -> None:
    with freezing(rig, standing, "Freeze", "Thaw", "Thaw") as holder:
        assert [one["intact"] for one in holder.answers(4)] == [True, True, True, False]
        assert takes_writes(rig, standing)


def test_the_end_of_the_lease_thaws(rig: Rig, standing: Volume) -> None:
    with freezing(rig, standing, lease_ms=3000) as holder:
        assert holder.answers(1)[0]["intact"] is True
        assert takes_writes(rig, standing, 30)
        wait(lambda: not recorded(rig, standing), "the record stays", 10)


def test_somebody_elses_thaw_is_told(rig: Rig, standing: Volume) -> None:
    """The administrator thaws between two questions of the agent."""
    rig.sh("rm -f /run/thawed")
    with freezing(rig, standing, "Freeze", "/run/thawed", "Freeze", "Thaw") as holder:
        holder.answers(2)
        rig.sh(f"fsfreeze -u {standing.device_mount}; touch /run/thawed")
        assert [one.get("intact") for one in holder.answers(5)] == [True, True, None, False, False]
        assert takes_writes(rig, standing)


@pytest.mark.parametrize("victims", ["the whole helper", "guardian and worker", "the agent"])
def test_whoever_is_killed_it_is_thawed(rig: Rig, standing: Volume, victims: str) -> None:
    with freezing(rig, standing) as holder:
        assert holder.answers(1)[0]["intact"] is True
        assert recorded(rig, standing)
        begun = time.monotonic()
        if victims == "the whole helper":
            rig.sh("systemctl kill -s KILL instorage-helper.service")
        elif victims == "the agent":
            rig.sh(f"systemctl kill -s KILL {holder.name}")
        else:
            lock = rig.sh(f"cat /run/instorage/volumes/{standing.uid}.lock")
            guardian = lock.partition("process ")[2].partition(",")[0]
            rig.sh(f"worker=$(cut -d' ' -f4 /proc/{guardian}/stat); kill -9 {guardian} $worker")
        assert takes_writes(rig, standing, 40), "it is still frozen"
        print(f"{victims} killed: thawed within {time.monotonic() - begun:.1f} s")
        wait(lambda: not recorded(rig, standing), "the record stays", 10)
    rig.call("Initiator")


def test_nothing_but_volumes_is_frozen(rig: Rig, standing: Volume) -> None:
    for target, code in (("/", "not-allowed"), (f"{standing.device_mount}x", "not-ours")):
        with pytest.raises(HelperFault) as refused:
            rig.call("Freeze", uid=standing.uid, target=target, lease_ms=1000)
        assert refused.value.code == code
