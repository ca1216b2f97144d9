"""The lab itself: its machines answer, are wired, reboot, come back, and end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tools.lab import CommandFailed, Lab, LabFault, Machine
from tools.lab.topology import NODES, PORTALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.lab
PING = "ping -q -c 1 -W 1"
ASK_MANAGEMENT = """\
import socket, sys
with socket.create_connection((sys.argv[1], 22), 20) as s:
    s.sendall(sys.argv[2].encode() + b"\\n")
    print(s.makefile().readline(), end="")
"""


def wait_until(condition: Callable[[], bool], limit: float = 30) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"not so within {limit} s"


def pings(machine: Machine, address: str) -> bool:
    return machine.run(f"{PING} {address}", check=False).exit_status == 0


def test_machines_answer_by_their_names(array: Machine, node: Machine) -> None:
    assert array.run("hostname").stdout == "array\n"
    assert node.run(["hostname"]).stdout == "nodea\n"
    assert node.run("cat", stdin=b"through \xc3\xa9").stdout == "through é"
    assert node.read("/etc/iscsi/initiatorname.iscsi").decode().strip().endswith(node.role.initiator)
    assert abs(float(node.run("date +%s.%N").stdout) - time.time()) < 5


def test_a_failed_command_says_what_it_printed(node: Machine) -> None:
    with pytest.raises(CommandFailed, match="exit status 3\nwhy") as failed:
        node.run("echo why; exit 3")
    assert failed.value.result.exit_status == 3
    assert node.run("exit 3", check=False).exit_status == 3


def test_a_command_that_hangs_is_ended_with_what_it_started(node: Machine) -> None:
    with pytest.raises(CommandFailed, match="took over 1 s") as failed:
        node.run("sleep 9876 & sleep 9876", timeout=1)
    assert failed.value.timed_out
    assert node.run("pgrep -x sleep", check=False).stdout == ""


def test_many_commands_run_at_once(node: Machine) -> None:
    def meet(number: int) -> str:
        return node.run(
            f"touch /run/meet.{number}; until [ $(ls /run/meet.* | wc -l) = 8 ]; do :; done"
        ).stdout

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(meet, range(8))) == [""] * 8


def test_files_and_folders_are_put_in_and_read_back(node: Machine, tmp_path: Path) -> None:
    blob = os.urandom(3_000_000)
    node.put("/run/lab test/blob", blob, 0o750)
    assert node.read("/run/lab test/blob") == blob
    assert node.run("stat -c '%a %U' '/run/lab test/blob'").stdout == "750 root\n"
    (tmp_path / "sub/__pycache__").mkdir(parents=True)
    (tmp_path / "sub/module.py").write_text("x = 1\n")
    (tmp_path / "sub/__pycache__/module.pyc").write_bytes(b"")
    node.put_tree("/run/tree", tmp_path)
    assert node.run("cd /run/tree; find -type f").stdout == "./sub/module.py\n"
    with pytest.raises(LabFault, match="/no/such"):
        node.read("/no/such")


def test_the_portals_answer_on_both_links(lab: Lab, array: Machine, node: Machine) -> None:
    second = lab.node("b")
    for link, portal in enumerate(PORTALS):
        assert pings(node, portal)
        assert pings(second, portal)
        assert node.role.device(f"iscsi{link}") in node.run(f"ip route get {portal}").stdout
        assert pings(array, second.role.address(link))


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


def test_a_paused_machine_is_silent_until_it_goes_on(array: Machine, node: Machine) -> None:
    node.pause()
    assert not pings(array, node.role.address(0))
    with pytest.raises(LabFault, match="paused"):
        node.answers(1)
    node.resume()
    wait_until(lambda: pings(array, node.role.address(0)))


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


def test_the_products_python_has_its_libraries(node: Machine) -> None:
    libraries = ["cryptography", "filelock", "paramiko", "pyroute2", "sdnotify", "systemd.journal", "yaml"]
    found = node.run(
        f"/usr/lib/instorage/bin/python3 -c 'import {', '.join(libraries)}, sys; print(sys.prefix)'"
    )
    assert found.stdout == "/usr/lib/instorage\n"


def test_multipath_is_debians_own(node: Machine) -> None:
    assert node.run("ls /etc/multipath.conf", check=False).exit_status != 0
    assert 'find_multipaths "strict"' in node.run("multipath -t").stdout
    assert node.run("systemctl is-active multipathd iscsid.socket").stdout == "active\nactive\n"


def test_a_node_reboots_orderly_or_by_reset_and_comes_back_with_its_network(lab: Lab, array: Machine) -> None:
    nodes = [lab.node(name) for name in NODES]
    with ThreadPoolExecutor(2) as pool:  # a boot leaves a processor idle now and then
        list(pool.map(comes_back, nodes, (array, array), (False, True)))


def comes_back(node: Machine, array: Machine, hard: bool) -> None:
    before = node.run("cat /proc/sys/kernel/random/boot_id").stdout
    node.run("echo kept > /root/kept; sync /root/kept; echo gone > /run/gone")
    node.reboot(hard=hard)
    assert node.run("cat /proc/sys/kernel/random/boot_id").stdout != before
    assert node.read("/root/kept") == b"kept\n"
    assert node.run("ls /run/gone", check=False).exit_status != 0
    assert pings(node, PORTALS[0])
    assert pings(node, PORTALS[1])
    assert pings(array, node.role.address(1))


def test_a_killed_node_is_gone_and_a_fresh_one_takes_its_place(array: Machine, node: Machine) -> None:
    node.run("touch /root/mark")
    node.kill()
    assert not node.running
    with pytest.raises(LabFault, match="reload"):
        node.run("true")
    assert not pings(array, node.role.address(0))
    node.reload()
    assert node.run("ls /root/mark", check=False).exit_status != 0
    wait_until(lambda: pings(array, node.role.address(0)))


def test_the_array_can_be_replaced_alone(array: Machine, node: Machine) -> None:
    array.reload()
    wait_until(lambda: pings(node, PORTALS[0]) and pings(node, PORTALS[1]))


def test_machines_end_with_the_process_that_made_them() -> None:
    program = (
        "import json, time\nfrom tools.lab import Lab\n"
        "lab = Lab(nodes=())\n"
        "print(json.dumps([str(lab.directory), lab.array.pid]), flush=True)\ntime.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        directory, pid = json.loads(owner.stdout.readline())
        assert os.path.exists(f"/proc/{pid}")
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}") and not os.path.exists(directory))
