"""The simulated array's data plane: real LUNs of the kernel's LIO target, seen by a real node."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest

from simulator.dataplane.remote import RemoteDataPlane
from tests.soak import IN_SOAK
from tools.lab.san import San
from tools.lab.topology import PORTALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.lab import Lab, Machine

pytestmark = pytest.mark.lab
GIB = 1 << 30
LIMIT = 30.0


@pytest.fixture(scope="module")
def running(lab: Lab) -> Iterator[San]:
    """The array, which knows nothing yet."""
    lab.start("array", "a")
    with San(lab, "--limit-burst", "0", "--name", "dataplane") as san:
        yield san


@pytest.fixture
def san(running: San, lab: Lab, node: Machine) -> Iterator[San]:
    """The array with host `a` for node a; in the end it has no volumes and the node no sessions."""
    running.command(f"mcsop mkhost -force -iscsiname {node.role.initiator} -name a")
    yield running
    logout(node)
    for volume in running.control.do("volumes"):
        running.command(f"mcsop rmvdisk -force {volume['name']}")
    for host in running.control.do("hosts"):
        running.command(f"mcsop rmhost {host['name']}")
    assert running.control.do("inventory") == {"volumes": {}, "initiators": [], "luns": []}
    assert lab.array.run("losetup --all").stdout == ""


def create(san: San, name: str, options: str = "") -> str:
    """A volume of 1 GiB; its UID."""
    san.command(f"mcsop mkvdisk -name {name} -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0 {options}")
    return next(str(v["uid"]) for v in san.control.do("volumes") if v["name"] == name)


def login(node: Machine) -> None:
    discoveries = " && ".join(f"iscsiadm -m discovery -t st -p {address}" for address in PORTALS)
    node.run(f"{discoveries} && {{ iscsiadm -m node -L all; udevadm settle -t 20; }}")


def logout(node: Machine) -> None:
    node.run("multipath -F; iscsiadm -m node -U all; iscsiadm -m node -o delete", check=False)


def device(uid: str) -> str:
    """The multipath device of a volume."""
    return f"/dev/mapper/3{uid.lower()}"


def until(condition: Callable[[], bool], limit: float = LIMIT) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"not so within {limit} s"


def host_word(san: San) -> tuple[str, str, str]:
    """What the array says of host a: its status, its port's login count and state."""
    pairs = [line.split("!", 1) for line in san.command("mcsinq lshost -delim ! a").splitlines()]
    return tuple(dict(pairs)[key] for key in ("status", "node_logged_in_count", "state"))  # type: ignore[return-value]


def identifiers(node: Machine) -> list[str]:
    """The live page 0x83 NAA identifiers of all SCSI disks, without 0x, upper-case."""
    said = node.run("for d in /dev/sd*; do sg_inq -p 0x83 $d; done").stdout
    return [
        line.strip(" []").removeprefix("0x").upper()
        for line in said.splitlines()
        if line.strip().startswith("[0x")
    ]


def test_a_mapped_volume_has_two_paths_of_the_arrays_make_and_uid(san: San, node: Machine) -> None:
    uid = create(san, "v")
    san.command("mcsop mkvdiskhostmap -host a -scsi 5 v")
    login(node)
    assert node.run("lsscsi | awk '{print $3, $4}'").stdout == "INSPUR MCS\n" * 2
    assert node.run("ls -d /sys/class/scsi_device/*:5 | wc -l").stdout == "2\n"
    assert identifiers(node) == [uid, uid]
    node.run("multipath /dev/sda")
    shown = node.run("multipath -ll").stdout
    assert shown.startswith(f"3{uid.lower()} ")
    assert "INSPUR,MCS" in shown
    lines = shown.splitlines()
    groups = {line: path for line, path in itertools.pairwise(lines) if "policy=" in line}  # in any order
    first = (
        node.run("readlink -f /dev/disk/by-path/ip-10.9.0.1:3260-*-lun-5").stdout.strip().rpartition("/")[2]
    )
    assert len(groups) == 2
    assert [first in path for group, path in groups.items() if "prio=50" in group] == [True]
    assert [first in path for group, path in groups.items() if "prio=10" in group] == [False]


@IN_SOAK
def test_an_initiator_sees_what_is_mapped_to_it_and_nothing_else(san: San, lab: Lab, node: Machine) -> None:
    other = lab.node("b")
    uid = create(san, "v")
    create(san, "hidden")
    san.command(f"mcsop mkhost -force -iscsiname {other.role.initiator} -name b")
    san.command("mcsop mkvdiskhostmap -host b hidden")
    san.command("mcsop mkvdiskhostmap -host a v")
    login(node)
    assert identifiers(node) == [uid, uid]
    node.run(f"multipath /dev/sda && echo written on a | dd of={device(uid)} conv=fsync")
    logout(node)
    san.command("mcsop rmvdiskhostmap -host a v")
    san.command("mcsop rmvdiskhostmap -host b hidden")
    san.command("mcsop mkvdiskhostmap -host b -scsi 7 v")
    try:
        login(other)
        assert identifiers(other) == [uid, uid]
        assert other.run("head -c 13 /dev/disk/by-path/ip-10.9.0.1:3260-*-lun-7").stdout == "written on a\n"
        login(node)
        assert node.run("lsscsi").stdout == ""
    finally:
        logout(other)


def test_an_initiator_that_is_no_host_may_not_log_in(san: San, node: Machine) -> None:
    login(node)
    logout(node)
    san.command("mcsop rmhost a")
    node.run(f"iscsiadm -m discovery -t st -p {PORTALS[0]}")
    refused = node.run("iscsiadm -m node -L all", check=False)
    assert refused.exit_status != 0
    assert "authorization failure" in refused.stderr


@IN_SOAK
def test_the_array_tells_the_truth_about_logins(san: San, node: Machine) -> None:
    create(san, "v")
    san.command("mcsop mkvdiskhostmap -host a v")
    assert host_word(san) == ("offline", "0", "offline")
    login(node)
    assert host_word(san) == ("online", "2", "active")
    san.control.do("portal", node=1, up=False)
    assert host_word(san) == ("degraded", "1", "active")
    san.control.do("portal", node=1, up=True)
    until(lambda: host_word(san) == ("online", "2", "active"))  # the node logs in again by itself
    san.control.do("drop-sessions", host="a")
    assert host_word(san)[1] != "2"
    until(lambda: host_word(san) == ("online", "2", "active"))
    logout(node)
    assert host_word(san) == ("offline", "0", "offline")


@IN_SOAK
def test_a_path_goes_and_comes_while_data_flows(san: San, node: Machine) -> None:
    uid = create(san, "v")
    san.command("mcsop mkvdiskhostmap -host a v")
    login(node)
    node.run("multipath /dev/sda")
    san.control.do("portal", node=1, up=False)
    node.run(f"dd if=/dev/zero of={device(uid)} bs=1M count=8 oflag=direct")
    san.control.do("portal", node=1, up=True)
    until(lambda: node.run("multipath -ll").stdout.count("active ready running") == 2)


def test_data_survive_unmap_restart_and_another_lun_number(san: San, node: Machine) -> None:
    uid = create(san, "v")
    san.command("mcsop mkvdiskhostmap -host a v")
    login(node)
    node.run("echo kept | dd of=/dev/sda conv=fsync")
    logout(node)
    san.command("mcsop rmvdiskhostmap -host a v")
    san.stop()
    san.start()
    san.command("mcsop mkvdiskhostmap -host a -scsi 9 v")
    login(node)
    assert identifiers(node) == [uid, uid]
    assert node.run("head -c 5 /dev/disk/by-path/ip-10.9.1.1:3260-*-lun-9").stdout == "kept\n"


def test_a_restart_disturbs_no_session_and_removes_what_is_stray(san: San, lab: Lab, node: Machine) -> None:
    create(san, "v")
    san.command("mcsop mkvdiskhostmap -host a v")
    login(node)
    sessions = node.run("iscsiadm -m session").stdout
    before = san.control.do("inventory")
    san.stop()
    lab.array.run("systemctl kill -s KILL instorage-dataplane")
    stray = RemoteDataPlane(lab.array.dataplane_socket)
    san.start()
    san.stop()
    stray.map("6005076FFFFFFFFFFFFFFFFFFFFFFFFF", GIB, node.role.initiator, 77)
    stray.close()
    san.start()
    assert san.control.do("inventory") == before
    assert node.run("iscsiadm -m session").stdout == sessions
    node.run("dd if=/dev/sda of=/dev/null bs=1M count=1 iflag=direct")


def test_a_resized_volume_has_its_new_size_after_a_rescan(san: San, node: Machine) -> None:
    create(san, "v")
    san.command("mcsop mkvdiskhostmap -host a v")
    login(node)
    for size in (2 * GIB, GIB // 2):
        san.control.do("resize", volume="v", size=size)
        node.run("iscsiadm -m session --rescan")
        assert node.run("blockdev --getsize64 /dev/sda /dev/sdb").stdout == f"{size}\n" * 2


def test_other_data_behind_a_mapping_show_in_the_live_identifier(san: San, node: Machine) -> None:
    right, wrong = create(san, "v"), create(san, "w")
    san.command("mcsop mkvdiskhostmap -host a v")
    login(node)
    san.control.do("map-wrong-lun", host="a", volume="v", instead="w")
    assert identifiers(node) == [wrong, wrong]
    san.control.do("map-right-lun", host="a", volume="v")
    assert identifiers(node) == [right, right]


def test_a_thin_volume_counts_what_was_written(san: San, node: Machine) -> None:
    create(san, "thin", "-rsize 0% -autoexpand")
    san.command("mcsop mkvdiskhostmap -host a thin")

    def used() -> int:
        said = san.command("mcsinq lsvdiskcopy -bytes -delim ! -copy 0 thin")
        return int(
            next(line for line in said.splitlines() if line.startswith("used_capacity!")).split("!")[1]
        )

    def free() -> int:
        return int(
            san.command("mcsinq lsmdiskgrp -bytes -nohdr -delim ! -filtervalue name=Pool0").split("!")[7]
        )

    login(node)
    assert used() == 0
    before = free()
    node.run("dd if=/dev/urandom of=/dev/sda bs=1M count=20 oflag=direct")
    assert used() == 20 << 20
    assert before - free() == 256 << 20  # one extent
