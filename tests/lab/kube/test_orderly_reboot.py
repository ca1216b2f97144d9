"""A node that is rebooted without a drain: what a pod was told is on the disk is on the disk."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.lab.kube.world import until
from tests.soak import IN_SOAK
from tools.lab.topology import PORTALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.kube.world import World
    from tools.lab import Lab, Machine

pytestmark = [pytest.mark.lab, pytest.mark.kube, pytest.mark.timeout(1500)]

PORT = 9099
NOTES = "/run/acknowledged"
LISTENER = f"""
import socket
server = socket.create_server(("{PORTALS[0]}", {PORT}))
while True:
    with server.accept()[0] as peer, peer.makefile() as lines, open("{NOTES}", "w") as notes:
        for line in lines:
            notes.write(line)
            notes.flush()
"""
WRITER = (
    "i=$(cat /data/counter 2>/dev/null || echo 0); while :; do i=$((i+1)); "
    "echo $i | dd of=/data/counter conv=fsync,notrunc 2>/dev/null && echo $i; "
    f"done | /bin/busybox nc {PORTALS[0]} {PORT}"
)
ERRORS = re.compile(r"Buffer I/O error|Aborting journal|lost async page write|EXT4-fs error|I/O error, dev")
LONGEST = 90  # seconds from the order to the end of the old boot's journal


@pytest.fixture
def acknowledged(lab: Lab) -> Callable[[], int]:
    """The last number that the writer was told is on the disk, noted on the array's machine."""
    lab.array.put("/run/listener.py", LISTENER, 0o600)
    lab.array.run("systemd-run -q --unit=acknowledged python3 /run/listener.py")

    def last() -> int:
        lines = lab.array.run(f"tail -n 2 {NOTES} 2>/dev/null", check=False).stdout.split()
        return int(lines[-1]) if lines else 0

    return last


@IN_SOAK
def test_what_was_acknowledged_before_an_orderly_reboot_is_there_after_it(
    world: World, acknowledged: Callable[[], int]
) -> None:
    """The first time with no record of a portal at boot, when Debian's own unit for iSCSI is not active."""
    machine = world.products["a"].machine
    machine.put("/etc/systemd/journald.conf.d/zz-kept.conf", "[Journal]\nStorage=persistent\n")
    machine.run("systemctl restart systemd-journald && journalctl --flush")
    pod = world.running(world.claim(), "a")
    for number in (1, 2):
        _writes(world, pod, acknowledged)
        ordered = float(machine.run("date +%s.%N").stdout)
        shown = len(machine.console)
        took = machine.reboot()
        machine.set_clock()
        noted = acknowledged()
        world.cluster.wait_kubelet(machine)
        _back(world, pod, number, noted)
        ended = float(_old_boot(machine, "-o short-unix | tail -n 1").split()[0])
        print(f"reboot {number}: {took:.0f} s, {ended - ordered:.0f} s of them down; {noted} acknowledged")
        assert ended - ordered < LONGEST
        said = _old_boot(machine, "-k -o cat") + machine.console[shown:]
        assert not ERRORS.findall(said), said[-3000:]
        assert "volumes stay mounted" not in _old_boot(machine, "-u instorage-volumes -o cat")


def _writes(world: World, pod: str, acknowledged: Callable[[], int]) -> None:
    before = acknowledged()
    world.sh(pod, f"({WRITER}) >/dev/null 2>&1 &")
    until(lambda: acknowledged() > before + 20, "the pod writes", 60)


def _back(world: World, pod: str, number: int, noted: int) -> None:
    """Wait until the pod was started so often, and reads what was acknowledged."""
    until(lambda: world.restarts(pod) == number, lambda: f"again: {world.cluster.said(pod)}", 240)
    lost = lambda: f"{noted} is lost: there is {_counter(world, pod)}"  # noqa: E731
    until(lambda: _counter(world, pod) >= noted, lost, 60)


def _counter(world: World, pod: str) -> int:
    shown = world.sh(pod, "cat /data/counter")
    return int(shown) if shown.isdigit() else -1


def _old_boot(machine: Machine, options: str) -> str:
    return machine.run(f"journalctl -q -b -1 --no-pager {options}", 60).stdout
