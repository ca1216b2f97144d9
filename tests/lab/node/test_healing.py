"""Paths that come late, go and come back under a pod that writes, with true sessions and multipathd."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.soak import WHOLE
from tools.lab.kubelet import Kubelet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.node.conftest import MakeVolume
    from tools.lab import Machine
    from tools.lab.product import Product
    from tools.lab.san import San

pytestmark = [pytest.mark.lab, pytest.mark.skipif(not WHOLE, reason="not yet seen in the lab")]
PORTAL = "10.9.1.1"  # of the array's second node
BACK = 15.0  # seconds in which a path is in the map again
NOTICED = 60.0  # seconds for iscsid and multipathd to see that a portal is gone (5 + 5 + 5, and their checks)
DROP = "nft add table inet heal; nft add chain inet heal out '{ type filter hook output priority 0; }'; "
PATHS = "multipath -ll | grep -c 'active ready running'"


def until(look: Callable[[], bool], seconds: float) -> float:
    begun = time.monotonic()
    while not look():
        assert time.monotonic() - begun < seconds, "it did not come to that"
        time.sleep(0.3)
    return time.monotonic() - begun


@pytest.fixture
def cable(node: Machine) -> Iterator[Callable[[bool], None]]:
    """Take the way to the second portal away (False), or give it back."""

    def plug(there: bool) -> None:
        rule = f"nft add rule inet heal out ip daddr {PORTAL} drop"
        node.run("nft delete table inet heal 2>/dev/null; true" if there else DROP + rule)

    yield plug
    plug(True)


def paths(node: Machine) -> int:
    return int(node.run(PATHS, check=False).stdout or 0)


def said(product: Product, text: str, since: str) -> list[str]:
    return [row["MESSAGE"] for row in product.journal(since=since) if text in str(row.get("MESSAGE"))]


def writes(node: Machine, kubelet: Kubelet) -> None:
    node.run(f"dd if=/dev/zero of={kubelet.pod_directory}/row bs=4k count=1 oflag=direct status=none")


@pytest.mark.timeout(600)
def test_a_path_that_goes_and_comes_back_under_a_pod_is_said_once_and_used_within_fifteen_seconds(
    node: Machine, product: Product, make_volume: MakeVolume, cable: Callable[[bool], None]
) -> None:
    since = node.run("date +%s").stdout.strip()
    kubelet = Kubelet(node, make_volume())
    assert all(answer.success for answer in kubelet.start_pod())
    until(lambda: paths(node) == 2, NOTICED)
    cable(False)
    until(lambda: bool(said(product, "is lost for volume", since)), NOTICED)
    writes(node, kubelet)
    cable(True)
    took = until(lambda: paths(node) == 2, BACK)
    print(f"back after {took:.1f} s")
    until(lambda: bool(said(product, "is back for volume", since)), BACK)
    assert len(said(product, "is lost for volume", since)) == 1
    assert all(answer.success for answer in kubelet.end_pod())


@pytest.mark.timeout(600)
def test_a_path_that_comes_late_is_added_to_the_mounted_volume(
    node: Machine, make_volume: MakeVolume, cable: Callable[[bool], None]
) -> None:
    node.run(f"iscsiadm -m session | grep -q {PORTAL} && iscsiadm -m node -p {PORTAL} --logout; true")
    cable(False)
    kubelet = Kubelet(node, make_volume())
    answers = kubelet.start_pod()
    assert all(answer.success for answer in answers)
    assert "One path is left of 2" in answers[0].message
    assert paths(node) == 1
    cable(True)
    print(f"added after {until(lambda: paths(node) == 2, BACK):.1f} s")
    writes(node, kubelet)
    assert all(answer.success for answer in kubelet.end_pod())


@pytest.mark.timeout(600)
def test_a_disk_that_an_administrator_deleted_comes_back(node: Machine, make_volume: MakeVolume) -> None:
    kubelet = Kubelet(node, make_volume())
    assert all(answer.success for answer in kubelet.start_pod())
    until(lambda: paths(node) == 2, NOTICED)
    disk = node.run("multipath -ll | grep -o 'sd[a-z]*' | tail -1").stdout.strip()
    node.run(f"echo 1 > /sys/block/{disk}/device/delete")
    until(lambda: paths(node) == 1, NOTICED)
    until(lambda: paths(node) == 2, BACK)
    assert all(answer.success for answer in kubelet.end_pod())


@pytest.mark.timeout(600)
def test_the_agent_hears_the_kernel_and_rests_while_all_is_well(
    node: Machine, product: Product, san: San, make_volume: MakeVolume
) -> None:
    kubelet = Kubelet(node, make_volume())
    since = node.run("date +%s").stdout.strip()
    assert all(answer.success for answer in kubelet.start_pod())
    until(lambda: paths(node) == 2, NOTICED)
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
    assert used <= 100
    assert all(answer.success for answer in kubelet.end_pod())


def test_the_installed_section_is_in_force_and_no_finding_is_left(node: Machine) -> None:
    node.run("systemctl restart multipathd")
    done = node.run("instoragectl multipath", check=False)
    print(done.stdout)
    assert "  no_path_retry 60" in done.stdout
    assert done.exit_status == 0


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
