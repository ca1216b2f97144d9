"""The lab's links: storage and management, pulled and plugged, and the ports to this machine."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.lab.reachability import pings, wait_until
from tests.soak import IN_SOAK
from tools.lab import Lab, LabFault, Machine
from tools.lab.topology import PORTALS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.lab
ASK_MANAGEMENT = """\
import socket, sys
with socket.create_connection((sys.argv[1], 22), 20) as s:
    s.sendall(sys.argv[2].encode() + b"\\n")
    print(s.makefile().readline(), end="")
"""


def test_the_portals_answer_on_both_links(lab: Lab, array: Machine, node: Machine) -> None:
    second = lab.node("b")
    for link, portal in enumerate(PORTALS):
        assert pings(node, portal)
        assert pings(second, portal)
        assert node.role.device(f"iscsi{link}") in node.run(f"ip route get {portal}").stdout
        assert pings(array, second.role.address(link))


@IN_SOAK
def test_a_pulled_cable_stops_one_link_and_plugged_in_it_works_again(array: Machine, node: Machine) -> None:
    node.set_link("iscsi0", up=False)
    assert not pings(node, PORTALS[0])
    assert pings(node, PORTALS[1])
    node.set_link("iscsi0", up=True)
    wait_until(lambda: pings(node, PORTALS[0]))
    array.set_link("a.iscsi1", up=False)
    assert not pings(node, PORTALS[1])
    array.set_link("a.iscsi1", up=True)
    wait_until(lambda: pings(node, PORTALS[1]))


@IN_SOAK
def test_a_paused_machine_is_silent_until_it_goes_on(array: Machine, node: Machine) -> None:
    node.pause()
    assert not pings(array, node.role.address(0))
    with pytest.raises(LabFault, match="paused"):
        node.answers(1)
    node.resume()
    wait_until(lambda: pings(array, node.role.address(0)))


@IN_SOAK
def test_a_node_logs_in_over_both_links_and_sees_a_disk_of_the_array(array: Machine, node: Machine) -> None:
    """Real LIO, iscsid and multipathd; Debian's multipathd makes no map of a WWID it was not told of."""
    targets = [f"iqn.2004-12.com.inspur:mcs.node{n}" for n in (1, 2)]
    uid = "60050760008989c0d00000000002c4a1"
    array.put("/run/export", EXPORT, 0o755)
    array.run(["/run/export", node.role.initiator, uid, *targets])
    for target, portal in zip(targets, PORTALS, strict=True):
        node.run(f"iscsiadm -m discovery -t st -p {portal}")
        node.run(f"iscsiadm -m node -T {target} -p {portal} -l")
    wait_until(lambda: node.run("lsscsi | grep -c INSPUR", check=False).stdout == "2\n")
    names = node.run("lsscsi | awk '/INSPUR/ {print $NF}'").stdout.split()
    for name in names:
        assert node.run(f"/lib/udev/scsi_id -g {name}").stdout == f"3{uid}\n"
    node.run(f"multipath {names[0]}")
    ready = "multipathd show paths format '%w %t %T' | grep -c 'active *ready'"
    wait_until(lambda: node.run(ready, check=False).stdout == "2\n")
    node.run(f"mkfs.ext4 -q /dev/mapper/3{uid}")
    node.run("multipath -F; iscsiadm -m node -u; iscsiadm -m node -o delete")
    assert node.run("iscsiadm -m session", check=False).exit_status != 0


EXPORT = """\
#!/bin/sh -eu
initiator=$1 uid=$2
shift 2
core=/sys/kernel/config/target/core/iblock_0/lab
truncate -s 64M /var/lib/lio/lab.img
mkdir -p $core
echo "udev_path=$(losetup -f --show /var/lib/lio/lab.img)" > $core/control
echo INSPUR > $core/wwn/vendor_id
echo MCS > $core/wwn/product_id
echo "0x$(echo $uid | cut -c 2-7)" > $core/wwn/company_id
echo $uid | cut -c 8- > $core/wwn/vpd_unit_serial
echo 1 > $core/enable
link=0
for target in "$@"; do
    group=/sys/kernel/config/target/iscsi/$target/tpgt_1
    mkdir -p $group/np/10.9.$link.1:3260 $group/acls/$initiator/lun_5 $group/lun/lun_1
    ln -s $core $group/lun/lun_1/disk
    ln -s $group/lun/lun_1 $group/acls/$initiator/lun_5/disk
    echo 0 > $group/attrib/authentication
    echo 1 > $group/enable
    link=$((link + 1))
done
"""


@pytest.fixture
def echo_server(lab: Lab) -> Iterator[Path]:
    """A server in this process on the array's management socket: answers each line in capitals."""
    path = lab.management_socket()
    barrier = threading.Barrier(3)

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            line = lines.readline()
            barrier.wait(20)  # answers only when three are connected
            connection.sendall(line.upper())

    def accept() -> None:
        for _ in range(3):
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(60)
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield path
        accepting.join(60)
    path.unlink()


@pytest.mark.usefixtures("echo_server")
def test_a_node_reaches_the_arrays_management_address(node: Machine) -> None:
    def ask(word: str) -> str:
        return node.run(["python3", "-c", ASK_MANAGEMENT, "10.0.2.100", word]).stdout

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(ask, ["one", "two", "three"])) == ["ONE\n", "TWO\n", "THREE\n"]


@IN_SOAK
def test_a_management_address_with_nobody_behind_it_fails_at_once(node: Machine) -> None:
    result = node.run(["python3", "-c", ASK_MANAGEMENT, "10.0.2.101", "anyone"], check=False)
    assert result.stdout == ""
    assert result.seconds < 10


def test_a_node_reaches_nothing_but_the_lab(node: Machine) -> None:
    assert "default" not in node.run("ip route").stdout
    node.run("ip route add default via 10.0.2.2 dev ens20")
    try:
        for address in ("10.0.2.2", "192.0.2.1"):
            connect = f"import socket; socket.create_connection(('{address}', 22), 3)"
            assert node.run(["python3", "-c", connect], check=False).exit_status != 0
    finally:
        node.run("ip route del default")


@IN_SOAK
def test_the_data_plane_port_talks_to_the_array(array: Machine) -> None:
    port = "/dev/virtio-ports/instorage.dataplane"
    with socket.socket(socket.AF_UNIX) as connection, ThreadPoolExecutor(1) as pool:
        connection.connect(str(array.dataplane_socket))
        connection.settimeout(20)
        echo = pool.submit(array.run, f"exec 3<>{port}; read -r line <&3; echo got $line >&3")
        connection.sendall(b"hello\n")
        assert connection.makefile().readline() == "got hello\n"
        echo.result()


def test_a_port_that_was_plugged_in_leads_to_the_node(node: Machine) -> None:
    path = node.add_port("lab.test")
    node.run("until test -c /dev/virtio-ports/lab.test; do sleep 0.05; done", timeout=20)
    with socket.socket(socket.AF_UNIX) as connection, ThreadPoolExecutor(1) as pool:
        connection.connect(str(path))
        connection.settimeout(20)
        echo = pool.submit(
            node.run, "exec 3<>/dev/virtio-ports/lab.test; read -r line <&3; echo got $line >&3"
        )
        connection.sendall(b"hello\n")
        assert connection.makefile().readline() == "got hello\n"
        echo.result()
