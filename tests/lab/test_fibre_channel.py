"""The array over Fibre Channel: real LUNs behind real fc_hosts; two adapters see two target ports each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.soak import IN_SOAK, in_turn
from tools.lab.fibre_channel import OPTIONS, TARGETS, make, plug_in
from tools.lab.product import residue
from tools.lab.san import San

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.lab import Lab, Machine

pytestmark = [pytest.mark.lab, in_turn(1, 2)]
LIMIT = 60.0
LUN = 5
SCAN = f"""
for rport in /sys/class/fc_remote_ports/rport-*; do
    host=${{rport##*/rport-}}; target=$(cat $rport/scsi_target_id)
    [ "$target" = -1 ] || echo "0 $target {LUN}" > /sys/class/scsi_host/host${{host%%:*}}/scan
done
udevadm settle -t 20
"""
WRITTEN = "awk '{sum += $7} END {print sum}' /sys/block/sd*/stat"  # sectors
FAILED = "dmesg | grep -E 'I/O error|FAILED Result|BUG|Oops' || true"


@pytest.fixture(scope="module")
def running(lab: Lab) -> Iterator[San]:
    """The array with FC ports, to which node a is logged in."""
    make(lab)
    with San(lab, *OPTIONS, "--limit-burst", "0", "--name", "fc") as san:
        plug_in(lab)
        yield san


@pytest.fixture
def san(running: San, lab: Lab, node: Machine) -> Iterator[San]:
    """The array with host `a`, made of node a's WWPNs; in the end nothing is left, here or there."""
    running.command(f"mcsop mkhost -force -hbawwpn {':'.join(node.role.wwpns)} -name a")
    node.run("dmesg -C")
    yield running
    take_down(node)
    assert residue(node).keys() <= {"known WWIDs"}
    node.run("sed -i '/^[^#]/d' /etc/multipath/wwids", check=False)
    for volume in running.control.do("volumes"):
        running.command(f"mcsop rmvdisk -force {volume['name']}")
    running.command("mcsop rmhost a")
    assert running.control.do("inventory") == {"volumes": {}, "initiators": [], "luns": []}
    assert lab.array.run("losetup --all").stdout == ""


def attach(san: San, node: Machine, name: str = "v") -> str:
    """Make a volume, map it, scan for it behind every target, have its map made; return its UID."""
    san.command(f"mcsop mkvdisk -name {name} -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0")
    san.command(f"mcsop mkvdiskhostmap -host a -scsi {LUN} {name}")
    node.run(f"{SCAN}\nmultipath $(ls /dev/sd? | head -n 1)", timeout=LIMIT)
    return next(str(v["uid"]) for v in san.control.do("volumes") if v["name"] == name)


def take_down(node: Machine) -> None:
    """Remove mount, maps and disks, each within a deadline of its own."""
    deletions = 'for d in /sys/block/sd*/device/delete; do timeout 60 sh -c "echo 1 > $d"; done'
    node.run(f"umount /mnt; multipath -F; shopt -s nullglob; {deletions}", 300, check=False)


def device(uid: str) -> str:
    return f"/dev/mapper/3{uid.lower()}"


def until(condition: Callable[[], bool], what: str, limit: float = LIMIT) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"not within {limit} s: {what}"
        time.sleep(0.1)


def host_word(san: San) -> tuple[str, set[str], set[str]]:
    """What the array says of host a: its status; the login counts and states of its ports."""
    pairs = [line.split("!", 1) for line in san.command("mcsinq lshost -delim ! a").splitlines()]
    said = {key: {value for k, value in pairs if k == key} for key in ("node_logged_in_count", "state")}
    return dict(pairs)["status"], said["node_logged_in_count"], said["state"]


def rows(san: San, command: str) -> list[dict[str, str]]:
    heads, *lines = san.command(f"mcsinq {command} -delim !").splitlines()
    return [dict(zip(heads.split("!"), line.split("!"), strict=True)) for line in lines]


def ready(node: Machine) -> int:
    return node.run("multipath -ll").stdout.count("active ready running")


def test_two_adapters_see_two_target_ports_each(san: San, node: Machine) -> None:
    script = "for h in /sys/class/fc_host/host*; do cat $h/port_name; cat $h/port_state; done"
    said = node.run(script).stdout.split()
    assert {name.removeprefix("0x").upper() for name in said[::2]} == set(node.role.wwpns)
    assert said[1::2] == ["Online", "Online"]
    logins = {(row["remote_wwpn"], row["local_wwpn"]) for row in rows(san, "lsfabric")}
    fabrics = [(wwpn, [ports[n] for ports in TARGETS.values()]) for n, wwpn in enumerate(node.role.wwpns)]
    assert logins == {(wwpn, port) for wwpn, ports in fabrics for port in ports}
    assert {row["name"] for row in rows(san, "lsfabric")} == {"a"}


@pytest.mark.parametrize("npiv", [True, False])
def test_the_array_names_the_ports_that_nodes_see(san: San, node: Machine, *, npiv: bool) -> None:
    san.control.do("dialect", npiv=npiv)
    seen = node.run("cat /sys/class/fc_remote_ports/*/port_name").stdout.upper().replace("0X", "").split()
    shown = rows(san, "lstargetportfc")
    taken = {row["WWPN"] for row in shown if row["host_io_permitted"] == "yes" and row["current_node_id"]}
    assert taken == set(seen) == {port for ports in TARGETS.values() for port in ports}
    assert bool(taken & {row["WWPN"] for row in rows(san, "lsportfc")}) is not npiv
    san.control.do("dialect", npiv=True)


def test_a_volume_with_four_paths_keeps_data_and_leaves_nothing(san: San, node: Machine) -> None:
    assert host_word(san) == ("online", {"2"}, {"inactive"})
    uid = attach(san, node)
    assert host_word(san) == ("online", {"2"}, {"active"})
    assert node.run("lsscsi | awk '{print $3, $4}'").stdout == "INSPUR MCS\n" * 4
    pages = node.run("for d in /dev/sd?; do sg_inq -p 0x83 $d; done").stdout.upper()
    assert pages.count(f"[0X{uid}]") == 4
    assert ready(node) == 4
    node.run(f"mkfs.ext4 -q {device(uid)} && mount {device(uid)} /mnt", timeout=120)
    node.run("dd if=/dev/urandom of=/mnt/file bs=1M count=48 conv=fsync", timeout=240)
    before = node.run("sha256sum /mnt/file").stdout
    node.run("umount /mnt; echo 3 > /proc/sys/vm/drop_caches")
    node.run(f"mount {device(uid)} /mnt")
    assert node.run("sha256sum /mnt/file", timeout=240).stdout == before
    assert ready(node) == 4
    assert node.run(FAILED).stdout == ""


def test_no_frame_is_lost_under_load(san: San, lab: Lab, node: Machine) -> None:
    device_of = device(attach(san, node))
    readers = "for i in 1 2 3; do dd if=$M of=/dev/null bs=1M count=16 skip=$((i*100)) iflag=direct & done"
    node.run(f"M={device_of}; dd if=/dev/zero of=$M bs=1M count=48 conv=fsync & {readers}; wait", timeout=240)
    assert node.run(FAILED).stdout == ""
    for machine in (node, lab.array):
        shown = machine.run("for i in $(ls /sys/class/net); do tc -s qdisc show dev $i; done").stdout
        assert {word for word in shown.split("(") if word.startswith("dropped")} <= {
            word for word in shown.split("(") if word.startswith("dropped 0,")
        }


@IN_SOAK
def test_a_canister_that_goes_and_comes_takes_its_two_paths_along(san: San, node: Machine) -> None:
    uid = attach(san, node)
    san.control.do("portal", node=1, up=False)
    assert host_word(san)[1] == {"1"}
    node.run(f"dd if=/dev/zero of={device(uid)} bs=1M count=8 oflag=direct", timeout=120)
    san.control.do("portal", node=1, up=True)
    until(lambda: host_word(san)[1] == {"2"}, "logged in again")
    until(lambda: ready(node) == 4, "four paths again")


@IN_SOAK
def test_a_node_has_its_ports_again_after_a_reboot(san: San, lab: Lab, node: Machine) -> None:
    node.reboot()
    plug_in(lab)
    assert host_word(san)[:2] == ("online", {"2"})
    assert attach(san, node)
    assert ready(node) == 4


def test_the_array_lets_go_of_a_node_whose_cables_are_pulled_while_it_writes(san: San, node: Machine) -> None:
    """Debian's tcm_fc hangs here, with every port of the array: what it waits for comes no more."""
    device_of = device(attach(san, node))
    writer = f"while dd if=/dev/zero of={device_of} bs=1M count=32 oflag=direct; do :; done"
    node.run(f"systemd-run -q --unit=writer sh -c '{writer}'")
    until(lambda: int(node.run(WRITTEN).stdout) > 0, "writing")
    for wire in ("fc0", "fc1"):
        node.set_link(wire, up=False)
    try:
        until(lambda: host_word(san)[0] == "offline", "logged out")
        node.run("systemctl stop writer", timeout=120, check=False)
    finally:
        for wire in ("fc0", "fc1"):
            node.set_link(wire, up=True)
    until(lambda: host_word(san)[1] == {"2"}, "logged in again")
    until(lambda: ready(node) == 4, "four paths again")
    node.run(f"dd if={device_of} of=/dev/null bs=1M count=4 iflag=direct", timeout=120)
    node.run("dmesg -C")
