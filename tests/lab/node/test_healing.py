"""Paths that come late, go and come back under a pod that writes, with true fabrics and multipathd."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from installer.multipath import DIRECTORY, NAME, TEXT
from tests.lab.link import PATHS, SHOWN, WIRES, WORKS, over
from tests.lab.node.test_life import succeeded
from tests.soak import IN_SOAK, in_turn, of_today
from tools.lab.kubelet import Kubelet
from tools.lab.topology import PORTALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.node.conftest import MakeVolume
    from tools.lab import Machine
    from tools.lab.product import Product
    from tools.lab.san import San

LINKS = ("iscsi", "iscsi", "fc", "fc")
pytestmark = [pytest.mark.lab, over(*of_today(LINKS, 4)), pytest.mark.timeout(600)]
BACK = 15.0  # seconds in which a path is in the map again
NOTICED = (
    60.0  # seconds for a link's driver and multipathd to see that a way is gone (5 + 5 + 5, and their checks)
)


def until(look: Callable[[], bool], seconds: float, node: Machine) -> float:
    begun = time.monotonic()
    while not look():
        assert time.monotonic() - begun < seconds, node.run("multipath -ll; lsscsi -t", check=False).stdout
        time.sleep(0.3)
    return time.monotonic() - begun


@pytest.fixture(scope="module", autouse=True)
def the_manuals_section(product: Product) -> None:
    """What the installer lays down besides what a checkout has."""
    product.machine.run(f"mkdir -p {DIRECTORY}")
    product.machine.put(f"{DIRECTORY}/{NAME}", TEXT)
    product.machine.run("systemctl restart multipathd")


@pytest.fixture
def cable(node: Machine, link: str, node_is_left_clean: None) -> Iterator[Callable[[bool], None]]:
    """Pull the second cable (False), which has half of the paths, or plug it in again."""

    def plug(there: bool) -> None:
        node.set_link(WIRES[link][1], up=there)

    yield plug
    plug(True)


def paths(node: Machine) -> int:
    return len(re.findall(WORKS, node.run("multipath -ll", check=False).stdout))


def said(product: Product, text: str, since: str) -> list[str]:
    return [row["MESSAGE"] for row in product.journal(since=since) if text in str(row.get("MESSAGE"))]


def now(node: Machine) -> str:
    return node.run("date +%s").stdout.strip()


def writes(node: Machine, kubelet: Kubelet) -> None:
    node.run(f"dd if=/dev/zero of={kubelet.pod_directory}/row bs=4k count=1 oflag=direct status=none")


def test_a_path_that_goes_and_comes_back_under_a_pod_is_said_once_and_used_within_fifteen_seconds(
    node: Machine, product: Product, link: str, make_volume: MakeVolume, cable: Callable[[bool], None]
) -> None:
    """Each of those that the cable has; over Fibre Channel it has two."""
    since, of_cable = now(node), PATHS[link] // 2
    kubelet = Kubelet(node, make_volume())
    succeeded(kubelet.start_pod())
    until(lambda: paths(node) == PATHS[link], NOTICED, node)
    cable(False)
    until(lambda: len(said(product, "is lost for volume", since)) == of_cable, NOTICED, node)
    writes(node, kubelet)
    plug_in(node, link, cable)
    took = until(lambda: paths(node) == PATHS[link], BACK, node)
    print(f"back after {took:.1f} s")
    until(lambda: len(said(product, "is back for volume", since)) == of_cable, BACK, node)
    lost = said(product, "is lost for volume", since)
    print("\n".join(lost))
    assert len(lost) == of_cable
    assert len({line.partition(" is lost")[0] for line in lost}) == of_cable
    succeeded(kubelet.end_pod())


@in_turn(0, 2)
def test_a_path_that_comes_late_is_added_to_the_mounted_volume(
    node: Machine, link: str, make_volume: MakeVolume, cable: Callable[[bool], None]
) -> None:
    cable(False)
    if link == "iscsi":
        node.run(f"! iscsiadm -m session | grep {PORTALS[1]} || iscsiadm -m node -p {PORTALS[1]} --logout")
    else:
        until(lambda: online(node) == PATHS[link] // 2, NOTICED, node)
    kubelet = Kubelet(node, make_volume())
    answers = succeeded(kubelet.start_pod())
    print(answers[0].message)
    if link == "iscsi":
        assert "One path is left of 2" in answers[0].message
    assert paths(node) == PATHS[link] // 2
    plug_in(node, link, cable)
    print(f"added after {until(lambda: paths(node) == PATHS[link], BACK, node):.1f} s")
    writes(node, kubelet)
    succeeded(kubelet.end_pod())


def plug_in(node: Machine, link: str, cable: Callable[[bool], None]) -> None:
    """Plug the cable in; over Fibre Channel wait until its fabric has the array's ports again."""
    cable(True)
    if link == "fc":
        shown = until(lambda: online(node) == PATHS[link], SHOWN[link], node)
        print(f"its ports are there after {shown:.1f} s")


def online(node: Machine) -> int:
    """How many ports of the array this machine is logged in to over Fibre Channel."""
    return node.run("grep -l Online /sys/class/fc_remote_ports/*/port_state", check=False).stdout.count(
        "rport"
    )


@in_turn(1, 2)
def test_a_disk_that_an_administrator_deleted_comes_back(
    node: Machine, link: str, make_volume: MakeVolume
) -> None:
    kubelet = Kubelet(node, make_volume())
    succeeded(kubelet.start_pod())
    until(lambda: paths(node) == PATHS[link], NOTICED, node)
    disk = node.run("multipath -ll | grep -o 'sd[a-z]*' | tail -1").stdout.strip()
    node.run(f"echo 1 > /sys/block/{disk}/device/delete")
    until(lambda: paths(node) == PATHS[link] - 1, NOTICED, node)
    print(f"back after {until(lambda: paths(node) == PATHS[link], BACK, node):.1f} s")
    succeeded(kubelet.end_pod())


@IN_SOAK
def test_the_agent_hears_the_kernel_and_rests_while_all_is_well(
    node: Machine, link: str, product: Product, san: San, make_volume: MakeVolume
) -> None:
    kubelet = Kubelet(node, make_volume())
    since = now(node)
    succeeded(kubelet.start_pod())
    until(lambda: paths(node) == PATHS[link], NOTICED, node)
    assert said(product, "events cannot be heard", since) == []
    process = node.run("systemctl show -p MainPID --value instorage-nodeagent").stdout.strip()
    ticks = f"awk '{{print $14+$15}}' /proc/{process}/stat"
    time.sleep(20)  # what the attach began is over
    san.control.do("reset-counters")
    before = int(node.run(ticks).stdout)
    time.sleep(60)  # rest is what is measured
    used = int(node.run(ticks).stdout) - before
    print(f"{used} ticks of a hundredth of a second in a minute")
    assert san.control.do("counters")["total"] == 0
    assert used <= 15  # 4 were seen; 2 s an hour natively, and an emulated processor needs 12 times as long
    succeeded(kubelet.end_pod())


def test_the_installed_section_is_in_force_and_no_finding_is_left(node: Machine) -> None:
    done = node.run("instoragectl multipath", check=False)
    print(done.stdout)
    assert "  no_path_retry 60" in done.stdout
    assert done.exit_status == 0, done.stdout


def test_a_blacklist_that_hides_disks_is_found_in_force(node: Machine) -> None:
    path = "/etc/multipath/conf.d/zz-test.conf"
    node.put(path, 'blacklist {\n devnode "^sd[a-z]z"\n}\n')
    node.run("multipathd reconfigure")
    try:
        done = node.run("instoragectl multipath", check=False)
    finally:
        node.run(f"rm {path}; multipathd reconfigure")
    assert "multipath-hides-devnode" in done.stdout
    assert done.exit_status == 1
