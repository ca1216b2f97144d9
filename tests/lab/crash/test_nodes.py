"""Two nodes and one volume, and a node that comes back: fenced, half formatted, reset."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.crash.table import AgentStep, HelperStep
from tests.lab.crash import build
from tests.lab.crash.conftest import installed, state
from tests.lab.crash.life import Kill, killed, once, repeat, start
from tests.soak import IN_SOAK, in_turn
from tools.lab.kubelet import Kubelet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.crash.conftest import MakeVolume
    from tools.lab import Lab, Machine
    from tools.lab.product import Product
    from tools.lab.san import San

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def products(lab: Lab, san: San) -> tuple[Product, Product]:
    lab.start("a", "b")
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(installed, (lab.node("a"), lab.node("b")))
    return first, second


@pytest.fixture
def nodes(products: tuple[Product, Product], san: San) -> Iterator[tuple[Machine, Machine]]:
    """Both nodes, which must be clean when the test has ended."""
    yield products[0].machine, products[1].machine
    deadline = time.monotonic() + 60
    while (left := [state(one, san) for one in products]) != [{}, {}] and time.monotonic() < deadline:
        time.sleep(0.5)
    assert left == [{}, {}], f"left behind: {left}"


def ended(kubelet: Kubelet) -> None:
    """End a pod, and see that the array has unmapped."""
    for call in ("unmount", "unmountdevice"):
        repeat(kubelet, call)


def test_of_two_nodes_at_the_same_moment_exactly_one_gets_the_volume(
    nodes: tuple[Machine, Machine], make_volume: MakeVolume
) -> None:
    volume = make_volume()
    kubelets = [
        Kubelet(machine, volume, node=f"node{name}") for machine, name in zip(nodes, "ab", strict=True)
    ]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda one: one.call("waitforattach"), kubelets))
    assert sorted(answer.success for answer in answers) == [False, True], answers
    won = next(number for number, answer in enumerate(answers) if answer.success)
    print(answers[1 - won].message)
    assert f"node{'ab'[won]}" in answers[1 - won].message
    assert kubelets[won].call("unmountdevice").success
    repeat(kubelets[1 - won], "waitforattach")
    assert kubelets[1 - won].call("unmountdevice").success


@in_turn(0, 2)
@pytest.mark.parametrize("fs_type", ["ext4", pytest.param("xfs", marks=IN_SOAK)])
def test_a_broken_off_format_is_finished_by_its_node_and_half_of_one_refused_by_both(
    nodes: tuple[Machine, Machine], make_volume: MakeVolume, fs_type: str
) -> None:
    """What is left of half a format cannot be told from data: it is said, and a person decides."""
    whole, first = (Kubelet(nodes[0], make_volume(), fs_type=fs_type) for _ in range(2))
    repeat(whole, "waitforattach")
    killed(whole, "mountdevice", Kill(HelperStep.HELPER_FORMAT_MADE, "worker"))
    for call in ("waitforattach", "mountdevice"):
        repeat(whole, call)
    assert fs_type in whole.machine.run(["findmnt", "-no", "FSTYPE", whole.device_mount]).stdout
    repeat(whole, "unmountdevice")
    second = Kubelet(nodes[1], first.volume, fs_type=fs_type)
    repeat(first, "waitforattach")
    killed(first, "mountdevice", Kill(HelperStep.HELPER_FORMAT_MADE, "worker"))
    first.machine.run(f"dd if=/dev/zero of={first.device} bs=4k count=2 conv=fsync status=none")  # half of it
    for kubelet, said in ((first, "broken off here midway"), (second, "on the node that had it last")):
        repeat(kubelet, "waitforattach")
        refusal = kubelet.call("mountdevice")
        print(refusal.message)
        assert not refusal.success
        assert said in refusal.message
        assert kubelet.call("unmountdevice").success
    first.machine.run("rm /var/lib/instorage-helper/format/*")  # as the volume's deletion has it done


@in_turn(1, 2)
def test_a_fenced_node_that_comes_back_reads_what_the_other_wrote(
    nodes: tuple[Machine, Machine], san: San, make_volume: MakeVolume
) -> None:
    """The agent is killed twice while it takes down what is left; only then the volume is mapped again.

    In one call: the stub asks a second agent, which is killed too.
    """
    volume = make_volume()
    first, second = Kubelet(nodes[0], volume), Kubelet(nodes[1], volume, node="nodeb")
    start(first)
    first.machine.run(f"echo first > {first.pod_directory}/row; sync")
    (mapping,) = next(v["maps"] for v in san.control.do("volumes") if v["name"] == volume)
    san.command(f"mcsop rmvdiskhostmap -host {mapping['host']} {volume}")
    start(second)
    assert second.machine.run(f"cat {second.pod_directory}/row").stdout == "first\n"
    second.machine.run(f"echo second > {second.pod_directory}/row")
    ended(second)
    steps = (AgentStep.AGENT_LEFTOVER_UNMOUNTED, AgentStep.AGENT_LEFTOVER_REMOVED)
    for step in steps:
        build.arm(first.machine, step, "agent")
    print(once(first, "waitforattach"))
    hits = build.hit(first.machine)
    assert [line.split()[0] for line in hits.splitlines()] == [*steps]
    assert not next(v["maps"] for v in san.control.do("volumes") if v["name"] == volume), "mapped too early"
    repeat(first, "waitforattach")
    for directory in (first.pod_directory, first.device_mount):
        assert first.machine.run(["mountpoint", "-q", directory], check=False).exit_status != 0
    repeat(first, "mountdevice")
    assert first.machine.run(f"cat {first.device_mount}/row").stdout == "second\n"
    repeat(first, "unmountdevice")


@IN_SOAK
@pytest.mark.parametrize("in_reach", [False, True], ids=("array away", "array in reach"))
def test_a_reset_of_a_node_with_a_mounted_volume_and_a_format_under_way(
    nodes: tuple[Machine, Machine], san: San, make_volume: MakeVolume, in_reach: bool
) -> None:
    node = nodes[0]
    used, fresh = Kubelet(node, make_volume()), Kubelet(node, make_volume())
    start(used)
    node.run(f"echo kept > {used.pod_directory}/row; sync; systemctl enable -q instorage-node.target")
    node.run(
        f"systemd-run -q --unit=writer sh -c 'while :; do date > {used.pod_directory}/busy; sync; done'; sync"
    )
    repeat(fresh, "waitforattach")
    build.arm(node, HelperStep.HELPER_FORMAT_RECORDED, "hold")
    with contextlib.suppress(Exception):  # the machine goes under it
        calling = threading.Thread(target=suppressed, args=(fresh,), daemon=True)
        calling.start()
    assert build.hit(node, 30)
    if not in_reach:
        san.stop()
    seconds = node.reboot(hard=True)
    print(f"up again after {seconds:.0f} s")
    shown = node.run("journalctl -b -q --no-pager -o cat -u instorage-nodeagent").stdout
    ready = next(line for line in shown.splitlines() if line.startswith("Ready:"))
    print(ready)
    if in_reach:
        assert "Ready: 0 volumes recorded" in ready
        assert not [v["name"] for v in san.control.do("volumes") if v["maps"]]
    else:
        assert "Ready: 2 volumes recorded" in ready
        refusal = used.call("waitforattach")
        assert "storage-01" in refusal.message
        san.start()
    devices = node.run(
        "ls -d /sys/class/scsi_device/* 2>/dev/null; dmsetup ls --target multipath", check=False
    )
    assert "scsi_device" not in devices.stdout
    build.watch(node)
    for kubelet in (used, fresh):
        for call in ("waitforattach", "mountdevice"):
            repeat(kubelet, call)
    assert node.run(f"cat {used.device_mount}/row").stdout == "kept\n"
    for kubelet in (used, fresh):
        repeat(kubelet, "unmountdevice")


def suppressed(kubelet: Kubelet) -> None:
    """Make a call that the machine does not live to answer."""
    with contextlib.suppress(Exception):
        once(kubelet, "mountdevice")
