"""A volume's whole life on one node, through the installed units, with kubelet's recorded calls."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.endpoint import Limits
from tests.lab.link import PATHS, over
from tests.soak import IN_SOAK, WHOLE
from tools.lab.kubelet import Kubelet

if TYPE_CHECKING:
    from tests.lab.node.conftest import MakeVolume
    from tools.lab import Lab, Machine
    from tools.lab.kubelet import Answer
    from tools.lab.product import Product
    from tools.lab.san import San

pytestmark = [pytest.mark.lab, over("iscsi")]
MANY = 20 if WHOLE else 5  # volumes at once: half the time of 20 goes to udev's own programs


def succeeded(answers: list[Answer]) -> list[Answer]:
    failed = [f"{answer.call}: {answer.message}" for answer in answers if not answer.success]
    assert not failed, failed
    return answers


@pytest.mark.parametrize("fs_type", ["ext4", pytest.param("xfs", marks=IN_SOAK)])
def test_data_is_there_again_for_the_next_pod(node: Machine, make_volume: MakeVolume, fs_type: str) -> None:
    kubelet = Kubelet(node, make_volume(), fs_type=fs_type)
    assert [a.call for a in succeeded(kubelet.start_pod())] == ["waitforattach", "mountdevice", "mount"]
    node.put(f"{kubelet.pod_directory}/row", "forty-two")
    shown = node.run(["findmnt", "-no", "FSTYPE,OPTIONS", kubelet.pod_directory]).stdout
    assert fs_type in shown
    assert {"nosuid", "nodev", "rw"} <= set(shown.split()[1].split(","))
    succeeded(kubelet.end_pod())

    again = Kubelet(node, kubelet.volume, fs_type=fs_type)
    succeeded(again.start_pod())
    assert node.read(f"{again.pod_directory}/row") == b"forty-two"
    succeeded(again.end_pod())


def test_every_path_carries_the_volume_under_debians_default_find_multipaths_strict(
    node: Machine, link: str, make_volume: MakeVolume
) -> None:
    assert "find_multipaths" not in node.run("cat /etc/multipath.conf 2>/dev/null", check=False).stdout
    # A machine's first login may be 2 s later than the other portal's, and is then given up for 60 s (seen).
    node.run("rm -rf /run/instorage/portals")
    kubelet = Kubelet(node, make_volume())
    attached = succeeded([kubelet.call("waitforattach")])[0]
    device = str(attached.answer["device"])
    assert device.startswith("/dev/disk/by-id/dm-uuid-mpath-3600")
    shown = node.run("multipath -ll").stdout
    assert shown.count("active ready running") == PATHS[link]
    assert "INSPUR,MCS" in shown
    succeeded([kubelet.call("mountdevice"), kubelet.call("unmountdevice")])


def test_every_call_may_come_twice(node: Machine, make_volume: MakeVolume) -> None:
    kubelet = Kubelet(node, make_volume())
    for call in ("waitforattach", "mountdevice", "mount", "unmount", "unmountdevice", "detach"):
        succeeded([kubelet.call(call), kubelet.call(call)])


@pytest.mark.timeout(900)
def test_many_volumes_at_once_use_one_connection_and_leave_nothing(
    node: Machine, san: San, make_volume: MakeVolume
) -> None:
    kubelets = [Kubelet(node, make_volume()) for _ in range(MANY)]
    san.control.do("reset-counters")
    start = time.monotonic()
    with ThreadPoolExecutor(MANY) as pool:
        for answers in pool.map(Kubelet.start_pod, kubelets):
            succeeded(answers)
        started = time.monotonic()
        for answers in pool.map(Kubelet.end_pod, kubelets):
            succeeded(answers)
    print(f"{MANY} volumes: {started - start:.1f} s to start, {time.monotonic() - started:.1f} s to end")
    counted = san.control.do("counters")
    print(f"array: {counted['total']} commands, {counted['connections']}, {counted['channels']}")
    pauses = (time.monotonic() - start) / Limits().idle  # a slow machine makes more of them
    assert counted["connections"]["opened"] <= 1 + pauses, (
        "one at a time, anew after so long without a command"
    )
    assert counted["connections"]["peak"] <= 2, "the one that is being closed, and its successor"
    assert not [volume for volume in san.control.do("volumes") if volume["maps"]]


@pytest.mark.usefixtures("iscsi_only")
def test_a_dead_portal_costs_less_than_three_seconds_and_is_said(
    node: Machine, lab: Lab, san: San, make_volume: MakeVolume, no_sessions: None
) -> None:
    usual = Kubelet(node, make_volume())
    quick = succeeded([usual.call("waitforattach")])[0].seconds
    succeeded([usual.call("unmountdevice")])
    node.run("iscsiadm -m node -U all", check=False)
    degraded = Kubelet(node, make_volume())
    lab.node("a").set_link("iscsi1", up=False)
    try:
        answer = succeeded([degraded.call("waitforattach")])[0]
    finally:
        lab.node("a").set_link("iscsi1", up=True)
    print(f"all portals {quick:.2f} s, one dead {answer.seconds:.2f} s")
    assert "degraded" in answer.message
    assert "10.9.1.1" in answer.message
    assert answer.seconds < quick + 3
    succeeded([degraded.call("mountdevice"), degraded.call("unmountdevice")])


@pytest.mark.usefixtures("iscsi_only")
def test_sessions_end_with_the_last_volume_where_that_is_asked_for(
    node: Machine, product: Product, make_volume: MakeVolume
) -> None:
    with product.configured(logout=True):
        first, second = (Kubelet(node, make_volume()) for _ in range(2))
        succeeded([first.call("waitforattach"), second.call("waitforattach"), first.call("unmountdevice")])
        assert node.run("iscsiadm -m session").stdout.count("tcp:") == 2
        succeeded([second.call("unmountdevice")])
        assert "tcp:" not in node.run("iscsiadm -m session", check=False).stdout


@pytest.fixture
def no_sessions(node: Machine, node_is_left_clean: None) -> None:
    """Log out: the portals must be looked at anew."""
    node.run("iscsiadm -m node -U all", check=False)
